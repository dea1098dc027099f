//! What was sent, before it is read.

use std::borrow::Cow;

/// What is known of a field before it is read.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// Whether it is never shown.
    pub is_secret: bool,
}

/// A value, as it was sent.
#[derive(Debug, Clone)]
pub enum Sent<'a> {
    /// In a body: the text of the JSON value, without white space around it.
    Json(&'a str),
    /// In a query.
    Text(Cow<'a, str>),
}
