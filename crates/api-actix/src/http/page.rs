//! One page of a list, as it is answered.

use std::borrow::Cow;

use roster_domain::entities;
use roster_domain::values::PageRequest;
use serde::Serialize;
use utoipa::openapi::schema::{self, ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, SchemaType};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// One page of a longer list.
#[derive(Serialize)]
pub(super) struct Page<T> {
    total: u64,
    has_previous: Option<bool>,
    has_next: Option<bool>,
    data: Vec<T>,
}

/// By hand, since what is derived repeats the item's schema instead of naming it.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let neighbour = || {
            ObjectBuilder::new()
                .schema_type(SchemaType::from_iter([schema::Type::Boolean, schema::Type::Null]))
        };
        let total = ObjectBuilder::new()
            .schema_type(schema::Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(0))
            .description(Some("The items in all, on every page together."));
        let data = ArrayBuilder::new()
            .items(Ref::from_schema_name(T::name()))
            .description(Some("The items of this page."));
        let page = ObjectBuilder::new()
            .schema_type(schema::Type::Object)
            .description(Some("One page of a longer list."))
            .property("total", total)
            .property(
                "has_previous",
                neighbour().description(Some("`true` where there is a page before, else `null`.")),
            )
            .property(
                "has_next",
                neighbour().description(Some("`true` where there is a page behind, else `null`.")),
            )
            .property("data", data);
        ["total", "has_previous", "has_next", "data"].into_iter().fold(page, ObjectBuilder::required).into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into(), T::schema()));
        T::schemas(schemas);
    }
}

impl<T> Page<T> {
    pub(super) fn new<'a, I>(page: &'a entities::Page<I>, request: PageRequest) -> Self
    where
        T: From<&'a I>,
    {
        Self {
            total: page.total,
            has_previous: request.has_previous().then_some(true),
            has_next: request.has_next(page.total).then_some(true),
            data: page.items.iter().map(T::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use roster_domain::values::{PageNumber, PerPage};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_tells_its_neighbours_with_true_or_null() {
        let page = entities::Page { total: 44, items: vec!["an item".to_owned()] };
        let neighbours = |number| {
            let request = PageRequest::new(PageNumber::new(number).unwrap(), PerPage::<30>::new(22).unwrap());
            let answer = serde_json::to_value(Page::<String>::new(&page, request)).unwrap();
            (answer["total"].clone(), answer["has_previous"].clone(), answer["has_next"].clone())
        };
        assert_eq!(neighbours(1), (json!(44), json!(null), json!(true)));
        assert_eq!(neighbours(2), (json!(44), json!(true), json!(null)));
    }
}
