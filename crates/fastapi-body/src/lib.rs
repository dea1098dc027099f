//! Reads JSON bodies and queries into declared forms, and speaks of them and of times as `FastAPI` (pydantic 2) does.
//!
//! [`form!`] declares a form once: its fields, how each is read, and what the `OpenAPI` document says of it. [`read_json`] and
//! [`read_query`] read it. A body is read from its text: what the form does not name is skipped and never built, so memory is
//! bounded by the text. [`Room`] bounds the texts of all bodies that are being read, and [`Pace`] how slowly a large one may come.
//! [`without_padding`] removes the blanks after a multipart form's boundaries, which parsers of forms do not know.

mod collect;
mod fault;
mod field;
mod form;
mod json;
mod pace;
mod padding;
mod query;
mod sent;
mod shown;
mod time;

pub use collect::{CollectError, Collected, Room};
pub use fault::{Fault, Faulty, Problem};
pub use field::{Integer, List, Optional, Text, list, optional};
pub use form::{Field, Form, Place, Reader, read_json, read_query};
pub use pace::Pace;
pub use padding::without_padding;
pub use sent::{Known, Sent};
pub use time::Time;

/// What [`form!`] needs where it is used.
#[doc(hidden)]
pub mod macros {
    pub use crate::form::{Described, parameters, schema};
    pub use utoipa;
}
