//! The 422 layer: reads what a client sent field by field and tells every fault at once, in the body that clients of
//! `FastAPI` (pydantic 2) know.

mod body;
mod fault;
mod json;
mod query;
mod shown;

pub(super) use body::BodyFields;
pub(super) use fault::{Fault, Faulty, Problem};
pub(super) use json::read_object;
pub(super) use query::QueryFields;
