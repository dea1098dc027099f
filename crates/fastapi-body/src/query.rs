//! A query's known parameters.

use crate::json::Object;
use crate::sent::{Known, Sent};

/// Reads a query. Of several parameters with one name the last counts; what is no UTF-8 is read with replacement characters.
pub(crate) fn read<'a>(query: &'a str, known: &[Known], keep_extra: bool) -> Object<'a> {
    let mut object = Object::new(known);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match known.iter().position(|known| known.name == name) {
            Some(index) => object.values[index] = Some(Sent::Text(value)),
            None if keep_extra => object.note_extra(name.into_owned()),
            None => {}
        }
    }
    object
}
