use serde_json::Value;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required, Schema};

use crate::fault::{Fault, Faults, Faulty, Problem};
use crate::json::Object;
use crate::sent::{Known, Sent};
use crate::shown::Inputs;
use crate::{json, query};

/// What is read from a body or a query, and told in the `OpenAPI` document. [`form!`](crate::form!) declares one.
pub trait Form: Sized {
    /// Whether fields that the form does not know are a fault. They are ignored otherwise.
    const FORBIDS_EXTRA: bool;

    /// The fields, in the order in which their faults are told.
    fn known() -> impl AsRef<[Known]>;

    /// Reads every field in that order, and tells all faults.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Faulty>;

    /// What is wrong with the fields together, where each of them is right.
    fn check(&self) -> Result<(), &'static str>;
}

/// How a field is read, and what the `OpenAPI` document says of it.
pub trait Field {
    /// What is made of it.
    type Value;

    /// Reads it, and notes every fault that it has.
    fn read(&self, place: &mut Place<'_, '_>) -> Result<Self::Value, Faulty>;

    /// Its schema in a body.
    fn schema(&self) -> Schema;

    /// Its schema in a query.
    fn parameter_schema(&self) -> Schema {
        self.schema()
    }

    /// Whether it has to be there.
    fn is_required(&self) -> bool {
        true
    }

    /// Whether no fault ever shows it.
    fn is_secret(&self) -> bool {
        false
    }
}

/// Reads a body. `is_json` is what the request's `Content-Type` says.
pub fn read_json<F: Form>(body: &[u8], is_json: bool) -> Result<F, Vec<Fault>> {
    if body.is_empty() {
        return Err(json::missing());
    }
    if !is_json {
        return Err(json::not_an_object());
    }
    let known = F::known();
    let object = json::read(body, known.as_ref(), F::FORBIDS_EXTRA)?;
    Reader::new("body", known.as_ref(), &object).form()
}

/// Reads a query.
pub fn read_query<F: Form>(query: &str) -> Result<F, Vec<Fault>> {
    let known = F::known();
    let object = query::read(query, known.as_ref(), F::FORBIDS_EXTRA);
    Reader::new("query", known.as_ref(), &object).form()
}

/// Reads the fields of a form, and notes their faults.
#[derive(Debug)]
pub struct Reader<'a> {
    part: &'static str,
    known: &'a [Known],
    object: &'a Object<'a>,
    next: usize,
    inputs: Inputs<'a>,
    faults: Faults,
}

impl<'a> Reader<'a> {
    fn new(part: &'static str, known: &'a [Known], object: &'a Object<'a>) -> Self {
        Self { part, known, object, next: 0, inputs: Inputs::new(known), faults: Faults::new() }
    }

    /// Reads the next field.
    pub fn next<F: Field>(&mut self, field: &F) -> Result<F::Value, Faulty> {
        let index = self.next;
        self.next += 1;
        let (known, object) = (self.known, self.object);
        let value = object.values[index].as_ref();
        field.read(&mut Place { field: known[index], value, item: None, reader: self })
    }

    fn form<F: Form>(mut self) -> Result<F, Vec<Fault>> {
        let form = F::read(&mut self);
        let object = self.object;
        for name in &object.extra {
            // Its value is not shown: it may be a misspelled secret.
            self.faults.push(Fault::new(self.part, Problem::extra()).at(name.clone()));
        }
        let form = match form {
            Ok(form) if self.faults.is_empty() => form,
            _ => return Err(self.faults.into_list()),
        };
        form.check().map_err(|why| {
            let input = self.whole();
            self.faults.push(Fault::new(self.part, Problem::rule(why)).showing(input));
            self.faults.into_list()
        })?;
        Ok(form)
    }

    /// All that was sent, as an object. A query is none.
    fn whole(&mut self) -> Value {
        if self.part == "body" { self.inputs.object(&self.object.values) } else { Value::Null }
    }
}

/// A field, or an item of one, while it is read.
#[derive(Debug)]
pub struct Place<'r, 'a> {
    field: Known,
    value: Option<&'r Sent<'a>>,
    item: Option<usize>,
    reader: &'r mut Reader<'a>,
}

impl<'r, 'a> Place<'r, 'a> {
    /// What was sent.
    #[must_use]
    pub fn value(&self) -> Option<&'r Sent<'a>> {
        self.value
    }

    /// What was sent, which must be something.
    pub fn required(&mut self) -> Result<&'r Sent<'a>, Faulty> {
        self.value.ok_or_else(|| {
            let input = self.reader.whole();
            self.note(Problem::missing(), input)
        })
    }

    /// Notes what is wrong with what was sent.
    pub fn refuse(&mut self, problem: Problem) -> Faulty {
        let inputs = &mut self.reader.inputs;
        let input = self.value.map_or(Value::Null, |value| inputs.value(value, self.field.is_secret));
        self.note(problem, input)
    }

    /// An item of the list that was sent.
    pub fn item<'i>(&'i mut self, index: usize, value: &'i Sent<'a>) -> Place<'i, 'a> {
        Place { field: self.field, value: Some(value), item: Some(index), reader: self.reader }
    }

    fn note(&mut self, problem: Problem, input: Value) -> Faulty {
        let fault = Fault::new(self.reader.part, problem).at(self.field.name).showing(input);
        let fault = if let Some(index) = self.item { fault.at_index(index) } else { fault };
        self.reader.faults.push(fault);
        Faulty
    }
}

/// What the `OpenAPI` document says of a field.
pub struct Described {
    name: &'static str,
    about: &'static str,
    is_required: bool,
    schema: Schema,
    parameter: Schema,
}

impl Described {
    /// That field. `about` is its doc comment.
    pub fn new(name: &'static str, about: &'static str, field: &impl Field) -> Self {
        let (schema, parameter) = (field.schema(), field.parameter_schema());
        Self { name, about: about.trim(), is_required: field.is_required(), schema, parameter }
    }
}

/// The schema of a form. `about` is its doc comment.
#[must_use]
pub fn schema(about: &str, forbids_extra: bool, fields: Vec<Described>) -> RefOr<Schema> {
    let about: Vec<_> = about.lines().map(str::trim).collect();
    let mut object =
        ObjectBuilder::new().schema_type(Type::Object).description(Some(about.join("\n").trim()));
    if forbids_extra {
        object = object.additional_properties(Some(AdditionalProperties::FreeForm(false)));
    }
    for Described { name, about, is_required, mut schema, .. } in fields {
        if !about.is_empty() {
            describe(&mut schema, about);
        }
        object = object.property(name, schema);
        if is_required {
            object = object.required(name);
        }
    }
    Schema::from(object).into()
}

fn describe(schema: &mut Schema, about: &str) {
    match schema {
        Schema::Object(object) => object.description = Some(about.to_owned()),
        Schema::Array(array) => array.description = Some(about.to_owned()),
        _ => {}
    }
}

/// A form as the parameters of a query.
#[must_use]
pub fn parameters(fields: Vec<Described>) -> Vec<Parameter> {
    let parameter = |field: Described| {
        let required = if field.is_required { Required::True } else { Required::False };
        ParameterBuilder::new()
            .name(field.name)
            .parameter_in(ParameterIn::Query)
            .description((!field.about.is_empty()).then_some(field.about))
            .required(required)
            .schema(Some(field.parameter))
            .build()
    };
    fields.into_iter().map(parameter).collect()
}

/// Declares a form: a struct, how each of its fields is read, and what the `OpenAPI` document says.
///
/// Faults are told in the order of the fields. `forbid extra;` makes fields that the form does not name a fault; they are
/// ignored otherwise. `check` is a function of the whole form, called where all its fields are right.
///
/// ```
/// use roster_fastapi_body::{Problem, Text, form, optional, read_json};
///
/// const NAME: Text<String> = Text::new(|text| {
///     if text.is_empty() { Err(Problem::too_short(1)) } else { Ok(text.to_owned()) }
/// }).length(1, 64);
///
/// form! {
///     /// How somebody is called.
///     struct Names {
///         /// What everybody has.
///         first: String = NAME,
///         last: Option<String> = optional(NAME),
///     }
///     check |names| if names.last.as_ref() == Some(&names.first) { Err("are you sure?") } else { Ok(()) };
/// }
///
/// let names: Names = read_json(br#"{"first": "Ann"}"#, true).unwrap();
/// assert_eq!((names.first.as_str(), names.last), ("Ann", None));
/// ```
#[macro_export]
macro_rules! form {
    (
        $(#[doc = $doc:literal])*
        $(#[derive $derive:tt])?
        $visibility:vis struct $form:ident {
            $($(#[doc = $about:literal])* $field:ident: $type:ty = $kind:expr),+ $(,)?
        }
        $(forbid $extra:ident;)?
        $(check $check:expr;)?
    ) => {
        $(#[doc = $doc])*
        $(#[derive $derive])?
        $visibility struct $form {
            $($(#[doc = $about])* $field: $type),+
        }

        impl $crate::Form for $form {
            const FORBIDS_EXTRA: bool = !::core::concat!("" $(, ::core::stringify!($extra))?).is_empty();

            fn known() -> impl ::core::convert::AsRef<[$crate::Known]> {
                [$($crate::Known {
                    name: ::core::stringify!($field),
                    is_secret: $crate::Field::is_secret(&$kind),
                }),+]
            }

            fn read(reader: &mut $crate::Reader<'_>) -> ::core::result::Result<Self, $crate::Faulty> {
                // Each is read before any is given up: all faults are told.
                $(let $field = reader.next(&$kind);)+
                ::core::result::Result::Ok(Self { $($field: $field?),+ })
            }

            fn check(&self) -> ::core::result::Result<(), &'static str> {
                $(
                    let check: fn(&Self) -> ::core::result::Result<(), &'static str> = $check;
                    check(self)?;
                )?
                ::core::result::Result::Ok(())
            }
        }

        impl $form {
            fn described() -> ::std::vec::Vec<$crate::macros::Described> {
                ::std::vec![$($crate::macros::Described::new(
                    ::core::stringify!($field),
                    ::core::concat!($($about, "\n"),*),
                    &$kind,
                )),+]
            }
        }

        impl $crate::macros::utoipa::PartialSchema for $form {
            fn schema() -> $crate::macros::utoipa::openapi::RefOr<$crate::macros::utoipa::openapi::Schema> {
                let about = ::core::concat!($($doc, "\n"),*);
                $crate::macros::schema(about, <Self as $crate::Form>::FORBIDS_EXTRA, Self::described())
            }
        }

        impl $crate::macros::utoipa::ToSchema for $form {
            fn name() -> ::std::borrow::Cow<'static, str> {
                ::core::stringify!($form).into()
            }
        }

        impl $crate::macros::utoipa::IntoParams for $form {
            fn into_params(
                _: impl ::core::ops::Fn() -> ::core::option::Option<$crate::macros::utoipa::openapi::path::ParameterIn>,
            ) -> ::std::vec::Vec<$crate::macros::utoipa::openapi::path::Parameter> {
                $crate::macros::parameters(Self::described())
            }
        }
    };
}
