use std::ffi::OsString;
use std::ops::RangeInclusive;

use secrecy::SecretString;

use crate::error::{SettingsError, WrongValue, shown};

/// Reads variables one by one, and says of a wrong one which it is.
pub(crate) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<OsString>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(lookup: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { lookup }
    }

    /// Exactly as it stands, where it is not empty.
    fn raw(&self, name: &'static str) -> Result<Option<String>, SettingsError> {
        let value = (self.lookup)(name).filter(|value| !value.is_empty());
        value
            .map(OsString::into_string)
            .transpose()
            .map_err(|_| SettingsError::variable(name, WrongValue::new("is not UTF-8", "give text in UTF-8")))
    }

    /// Without the blanks around it, where it is not empty.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, SettingsError> {
        let value = self.raw(name)?.map(|value| value.trim().to_owned());
        Ok(value.filter(|value| !value.is_empty()))
    }

    /// A secret, exactly as it stands: others may have signed with it.
    pub(crate) fn secret(&self, name: &'static str) -> Result<Option<SecretString>, SettingsError> {
        Ok(self.raw(name)?.map(SecretString::from))
    }

    /// What `parse` makes of the value, or of the default.
    pub(crate) fn value<T>(
        &self,
        name: &'static str,
        default: &str,
        parse: impl FnOnce(&str) -> Result<T, WrongValue>,
    ) -> Result<T, SettingsError> {
        let text = self.text(name)?;
        parse(text.as_deref().unwrap_or(default)).map_err(|wrong| SettingsError::variable(name, wrong))
    }

    /// What `parse` makes of the value, where there is one.
    pub(crate) fn optional<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, WrongValue>,
    ) -> Result<Option<T>, SettingsError> {
        let value = self.text(name)?.as_deref().map(parse).transpose();
        value.map_err(|wrong| SettingsError::variable(name, wrong))
    }

    /// A number in the range.
    pub(crate) fn number(
        &self,
        name: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> Result<u32, SettingsError> {
        let Some(text) = self.text(name)? else { return Ok(default) };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let problem = format!("is {}, which is out of its range", shown(&text));
            let remedy =
                format!("give a whole number from {} to {}, such as {default}", range.start(), range.end());
            SettingsError::variable(name, WrongValue::new(problem, remedy))
        })
    }

    /// One of the named choices, or the one that is named as the default.
    pub(crate) fn choice<T: Copy>(
        &self,
        name: &'static str,
        default: &str,
        choices: &[(&str, T)],
    ) -> Result<T, SettingsError> {
        self.value(name, default, |text| choose(text, choices))
    }

    /// One of the named choices, where one is made.
    pub(crate) fn optional_choice<T: Copy>(
        &self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, SettingsError> {
        self.optional(name, |text| choose(text, choices))
    }
}

fn choose<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, WrongValue> {
    let chosen = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    chosen.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let problem = format!("is {}, which is not supported", shown(text));
        WrongValue::new(problem, format!("use {}", names.join(" or ")))
    })
}
