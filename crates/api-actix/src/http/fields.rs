//! The fields of forms: how each is read, and what the `OpenAPI` document says of it.

use roster_domain::values::{
    Email, PageNumber, Password, PerPage, Reason, RefreshToken, SearchTerm, TextError, UserId, Username,
};
use roster_fastapi_body::{Integer, Problem, Text};

pub(super) const EMAIL: Text<Email> =
    Text::new(|text| Email::parse(text).map_err(|error| Problem::not_an_email(&error.to_string())))
        .format("email")
        .length(0, 254)
        .example("ann@example.com");

pub(super) const USERNAME: Text<Username> = Text::new(|text| Username::parse(text).map_err(text_problem))
    .length(1, Username::MAX)
    .pattern(r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")
    .example("ann");

pub(super) const PASSWORD: Text<Password> =
    Text::new(|text| Password::parse(text.to_owned()).map_err(text_problem))
        .secret()
        .format("password")
        .length(1, Password::MAX)
        .example("correct horse battery staple");

pub(super) const REFRESH_TOKEN: Text<RefreshToken> = Text::new(|text| Ok(RefreshToken::new(text.to_owned())))
    .secret()
    .example("eyJhbGciOiJIUzI1NiJ9.e30.signature");

pub(super) const REASON: Text<Reason> = Text::new(|text| Reason::parse(text).map_err(text_problem))
    .length(1, Reason::MAX)
    .pattern(r"\S")
    .example("spam");

pub(super) const SEARCH: Text<Option<SearchTerm>> =
    Text::new(|text| SearchTerm::parse(text).map_err(text_problem)).length(0, SearchTerm::MAX);

/// An id. One that is none is no fault of the form: it is told after those.
pub(super) const ID: Text<Option<UserId>> =
    Text::new(|text| Ok(text.parse().ok())).pattern("^[0-9a-f]{24}$").example("67a99413dc65a0145ee73981");

pub(super) const PAGE: Integer<PageNumber> =
    Integer::new(1, i64::MAX, |number| PageNumber::new(number.unsigned_abs())).or(1);

/// How many items a page holds, at most `MAX`.
pub(super) const fn per_page<const MAX: u64>() -> Integer<PerPage<MAX>> {
    Integer::new(1, MAX.cast_signed(), |count| PerPage::new(count.unsigned_abs())).or(10)
}

fn text_problem(error: TextError) -> Problem {
    match error {
        TextError::TooShort { min } => Problem::too_short(min),
        TextError::TooLong { max } => Problem::too_long(max),
        TextError::ControlCharacter | TextError::Unseen { .. } => Problem::rule(&error.to_string()),
    }
}
