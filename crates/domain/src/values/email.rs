use std::collections::BTreeSet;
use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::text::{fold, is_seen, is_visible, lower_case};

/// Why an email address was refused. `Display` is the whole reason, a sentence for the client, in the words of Python's
/// `email-validator` where it has some: clients know those.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Longer than anything that is worth a closer look.
    #[error("Length must not exceed {MAX_INPUT} characters")]
    Endless,
    /// No `@` in it.
    #[error("An email address must have an @-sign.")]
    NoAtSign,
    /// `＠` instead of `@`.
    #[error("The email address has the \"full-width\" at-sign (@) character instead of a regular at-sign.")]
    FullWidthAtSign,
    /// `﹫` instead of `@`.
    #[error("The email address has the \"small commercial at\" character instead of a regular at-sign.")]
    SmallAtSign,
    /// `Ann <a@b.de>`, or `<a@b.de>`.
    #[error("A display name and angle brackets around the email address are not permitted here.")]
    DisplayName,
    /// `"a b"@c.de`.
    #[error("Quoting the part before the @-sign is not allowed here.")]
    Quoted,
    /// `@b.de`.
    #[error("There must be something before the @-sign.")]
    NothingBeforeAt,
    /// More than 64 bytes before the `@`.
    #[error("The email address is too long before the @-sign ({0}).")]
    LongBeforeAt(Excess),
    /// What no dot-atom may hold.
    #[error("The email address contains invalid characters before the @-sign: {0}.")]
    InvalidBeforeAt(Characters),
    /// Invisible, unassigned or private characters, or a combining mark in front.
    #[error("The email address contains unsafe characters: {0}.")]
    Unsafe(Characters),
    /// `.a@b.de`.
    #[error("An email address cannot start with a period.")]
    LeadingPeriod,
    /// `a.@b.de`.
    #[error("An email address cannot have a period immediately before the @-sign.")]
    PeriodBeforeAt,
    /// `a..b@c.de`, `a@b..de`.
    #[error("An email address cannot have two periods in a row.")]
    TwoPeriods,
    /// `a@`.
    #[error("There must be something after the @-sign.")]
    NothingAfterAt,
    /// `a@[127.0.0.1]`.
    #[error("A bracketed IP address after the @-sign is not allowed here.")]
    DomainLiteral,
    /// More than a domain name can hold.
    #[error("The email address is too long after the @-sign ({0}).")]
    LongAfterAt(Excess),
    /// What no domain name may hold.
    #[error("The part after the @-sign contains invalid characters: {0}.")]
    InvalidAfterAt(Characters),
    /// `a@.de`.
    #[error("An email address cannot have a period immediately after the @-sign.")]
    PeriodAfterAt,
    /// `a@b.de.`.
    #[error("An email address cannot end with a period.")]
    TrailingPeriod,
    /// `a@-b.de`.
    #[error("An email address cannot have a hyphen immediately after the @-sign.")]
    HyphenAfterAt,
    /// `a@b.de-`.
    #[error("An email address cannot end with a hyphen.")]
    TrailingHyphen,
    /// `a@b-.de`, `a@b.-de`.
    #[error("An email address cannot have a period and a hyphen next to each other.")]
    PeriodBesideHyphen,
    /// `a@bc--d.de`: reserved for what Punycode's `xn--` is one of.
    #[error(
        "An email address cannot have two letters followed by two dashes immediately after the @-sign or after a \
         period, except Punycode."
    )]
    ReservedLabel,
    /// A label of more than 63 bytes.
    #[error("After the @-sign, periods cannot be separated by so many characters ({0}).")]
    LongLabel(Excess),
    /// Not a domain name by UTS #46, be it in Punycode or not.
    #[error("The part after the @-sign is not valid IDNA.")]
    InvalidDomain,
    /// `a@b`.
    #[error("The part after the @-sign is not valid. It should have a period.")]
    NoPeriod,
    /// `a@127.0.0.1`.
    #[error("The part after the @-sign is not valid. It is not within a valid top-level domain.")]
    NoTopLevelDomain,
    /// `a@b.test`.
    #[error("The part after the @-sign is a special-use or reserved name that cannot be used with email.")]
    ReservedDomain,
    /// More than 254 characters, all of ASCII.
    #[error("The email address is too long ({0}).")]
    Long(Excess),
    /// More than 254 bytes in its normal form.
    #[error("The email address is too long after normalization ({0}).")]
    LongNormalised(Excess),
    /// More than 254 bytes with its domain in Punycode.
    #[error("The email address is too long when the part after the @-sign is converted to IDNA ASCII ({0}).")]
    LongInAscii(Excess),
}

/// How much too long something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    count: usize,
    unit: &'static str,
}

impl Excess {
    /// What `text` has beyond `limit` bytes. Of ASCII a client is told characters: there it is the same, and clearer.
    fn beyond(limit: usize, text: &str) -> Option<Self> {
        let unit = if text.is_ascii() { "character" } else { "byte" };
        text.len().checked_sub(limit).filter(|count| *count > 0).map(|count| Self { count, unit })
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} {}{plural} too many", self.count, self.unit)
    }
}

/// Characters that an address may not hold, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Characters(BTreeSet<char>);

impl Characters {
    /// Those of `text` that are not `allowed`, where there are any.
    fn of(text: &str, allowed: impl Fn(usize, char) -> bool) -> Option<Self> {
        let found: BTreeSet<char> =
            text.char_indices().filter(|(at, c)| !allowed(*at, *c)).map(|(_, c)| c).collect();
        (!found.is_empty()).then_some(Self(found))
    }
}

impl fmt::Display for Characters {
    /// Visible ones stand in quotes; the others are named, so that a message holds none of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, c) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match c {
                ' ' => f.write_str("SPACE")?,
                '\'' | '\\' => write!(f, "\"{c}\"")?,
                _ if is_visible(*c) => write!(f, "'{c}'")?,
                _ => write!(f, "U+{:04X}", u32::from(*c))?,
            }
        }
        Ok(())
    }
}

/// The most code points of a text that is looked at: what follows costs in proportion to it.
const MAX_INPUT: usize = 2048;
/// RFC 5321, 4.5.3.1.3 with RFC 3696's erratum 1690: 256 for a path, less its angle brackets.
const MAX_ADDRESS: usize = 254;
/// RFC 5321, 4.5.3.1.1.
const MAX_LOCAL_PART: usize = 64;
/// RFC 1035, 2.3.4: 255 octets on the wire, less the first length and the root.
const MAX_DOMAIN: usize = 253;
/// RFC 1035, 2.3.4.
const MAX_LABEL: usize = 63;
/// Top-level domains that are reserved for other use than mail (RFC 3172, 6761, 6762, 7686).
const RESERVED: [&str; 6] = ["arpa", "invalid", "local", "localhost", "onion", "test"];

/// A user's email address, unique among live and trashed users by its [`key`](Email::key).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Takes an address and gives it the form in which it is stored: trimmed, NFC, lower case, its domain in Unicode.
    ///
    /// It is RFC 5321's dot-atom and a domain name, both with international letters (RFC 6531). Names of people, quotes,
    /// comments and IP addresses are no part of it.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        if text.chars().nth(MAX_INPUT).is_some() {
            return Err(EmailError::Endless);
        }
        let (local, domain) = split(text)?;
        let local = parse_local_part(local)?;
        let domain = DomainName::parse(domain)?;

        let address = format!("{local}@{}", domain.unicode);
        if let Some(excess) = Excess::beyond(MAX_ADDRESS, text).filter(|_| text.is_ascii()) {
            return Err(EmailError::Long(excess));
        }
        if let Some(excess) = Excess::beyond(MAX_ADDRESS, &address) {
            return Err(EmailError::LongNormalised(excess));
        }
        if let Some(excess) = Excess::beyond(MAX_ADDRESS, &format!("{local}@{}", domain.ascii)) {
            return Err(EmailError::LongInAscii(excess));
        }
        Ok(Self(address))
    }

    /// Rehydrates a stored address, whatever it is.
    #[must_use]
    pub fn from_store(text: String) -> Self {
        Self(text)
    }

    /// The address as it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a store's unique index holds, and a look-up asks for: what stands before the `@` by simple case folding, and the
    /// domain in its Unicode form; also of an address that [`parse`](Self::parse) would refuse.
    #[must_use]
    pub fn key(&self) -> String {
        let text = self.0.trim();
        text.split_once('@')
            .and_then(|(local, domain)| Some(format!("{}@{}", fold(local), to_unicode(domain)?)))
            .unwrap_or_else(|| fold(text))
    }
}

impl fmt::Debug for Email {
    /// Redacted: addresses do not go to logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email([REDACTED])")
    }
}

/// What stands before the first `@`, and what after. The forms that are not taken at all are told by what they begin or end
/// with, for a better reason than "invalid characters".
fn split(text: &str) -> Result<(&str, &str), EmailError> {
    let Some((local, domain)) = text.split_once('@') else {
        return Err(match text {
            _ if text.contains('＠') => EmailError::FullWidthAtSign,
            _ if text.contains('﹫') => EmailError::SmallAtSign,
            _ => EmailError::NoAtSign,
        });
    };
    if text.ends_with('>') && text.contains('<') {
        return Err(EmailError::DisplayName);
    }
    if local.starts_with('"') {
        return Err(EmailError::Quoted);
    }
    Ok((local, domain))
}

fn parse_local_part(text: &str) -> Result<String, EmailError> {
    let local = lower_case(text);
    if local.is_empty() {
        return Err(EmailError::NothingBeforeAt);
    }
    if let Some(excess) = Excess::beyond(MAX_LOCAL_PART, &local) {
        return Err(EmailError::LongBeforeAt(excess));
    }
    // `atext` and the dot (RFC 5322, 3.2.3), and whatever is not ASCII (RFC 6531, 3.3).
    let is_atom =
        |_, c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    if let Some(characters) = Characters::of(&local, is_atom) {
        return Err(EmailError::InvalidBeforeAt(characters));
    }
    refuse_unsafe(&local)?;
    match local.as_str() {
        text if text.ends_with('.') => Err(EmailError::PeriodBeforeAt),
        text if text.starts_with('.') => Err(EmailError::LeadingPeriod),
        text if text.contains("..") => Err(EmailError::TwoPeriods),
        _ => Ok(local),
    }
}

/// A domain name in both its forms.
struct DomainName {
    unicode: String,
    ascii: String,
}

impl DomainName {
    fn parse(text: &str) -> Result<Self, EmailError> {
        if text.is_empty() {
            return Err(EmailError::NothingAfterAt);
        }
        if text.starts_with('[') && text.ends_with(']') {
            return Err(EmailError::DomainLiteral);
        }
        // Counted before anything is encoded: decoding a long label costs more than its length.
        let count = text.chars().count();
        if count > MAX_DOMAIN {
            return Err(EmailError::LongAfterAt(Excess { count: count - MAX_DOMAIN, unit: "character" }));
        }
        let is_host = |_, c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || matches!(c, '-' | '.');
        if let Some(characters) = Characters::of(text, is_host) {
            return Err(EmailError::InvalidAfterAt(characters));
        }
        refuse_unsafe(text)?;

        let unicode = to_unicode(text).ok_or(EmailError::InvalidDomain)?;
        refuse_unsafe(&unicode)?;
        check_labels(&unicode)?;
        let ascii = Uts46::new()
            .to_ascii(unicode.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Ignore)
            .map_err(|_| EmailError::InvalidDomain)?
            .into_owned();
        check_encoded(&ascii)?;
        Ok(Self { unicode, ascii })
    }
}

/// A domain in its Unicode form by UTS #46, non-transitional; `None` where it has none.
fn to_unicode(domain: &str) -> Option<String> {
    let (unicode, valid) = Uts46::new().to_unicode(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow);
    valid.ok().map(|()| unicode.into_owned())
}

/// Where periods and hyphens may stand (RFC 1123, 2.1; RFC 5890, 2.3.1).
fn check_labels(domain: &str) -> Result<(), EmailError> {
    match domain {
        _ if domain.ends_with('.') => Err(EmailError::TrailingPeriod),
        _ if domain.starts_with('.') => Err(EmailError::PeriodAfterAt),
        _ if domain.contains("..") => Err(EmailError::TwoPeriods),
        _ if domain.ends_with('-') => Err(EmailError::TrailingHyphen),
        _ if domain.starts_with('-') => Err(EmailError::HyphenAfterAt),
        _ if domain.contains(".-") || domain.contains("-.") => Err(EmailError::PeriodBesideHyphen),
        _ if domain.split('.').any(|label| label.chars().skip(2).take(2).eq("--".chars())) => {
            Err(EmailError::ReservedLabel)
        }
        _ => Ok(()),
    }
}

/// How long a domain may be as the DNS has it, and which ones take no mail.
fn check_encoded(domain: &str) -> Result<(), EmailError> {
    if let Some(excess) = Excess::beyond(MAX_DOMAIN, domain) {
        return Err(EmailError::LongAfterAt(excess));
    }
    if let Some(excess) = domain.split('.').find_map(|label| Excess::beyond(MAX_LABEL, label)) {
        return Err(EmailError::LongLabel(excess));
    }
    let Some((_, top)) = domain.rsplit_once('.') else {
        return Err(EmailError::NoPeriod);
    };
    if !top.ends_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(EmailError::NoTopLevelDomain);
    }
    if RESERVED.contains(&top) { Err(EmailError::ReservedDomain) } else { Ok(()) }
}

/// Refuses what can't be seen or told for sure.
fn refuse_unsafe(text: &str) -> Result<(), EmailError> {
    Characters::of(text, is_seen).map_or(Ok(()), |characters| Err(EmailError::Unsafe(characters)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn key(text: &str) -> String {
        Email::from_store(text.to_owned()).key()
    }

    /// Texts that are addresses, or nearly.
    fn nearly_address() -> impl Strategy<Value = String> {
        let local = "[a-zA-Z0-9.+_ \\PC]{1,12}";
        let label = "([a-zA-Z0-9]{1,8}|xn--[a-z0-9-]{1,12}|[äßÖéçİſKςΣσǰﬁÅ日本語אבيع一-龥\u{300}-\u{345}a-z]{1,6}|\\PC{1,4})";
        (local, prop::collection::vec(label, 1..4), "(de|com|DE|xn--p1ai|РФ)")
            .prop_map(|(local, labels, top)| format!(" {local}@{}.{top}", labels.join(".")))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn what_was_parsed_is_parsed_to_itself_and_has_the_key_of_what_it_was_parsed_from(text in nearly_address()) {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
                prop_assert_eq!(key(&text), email.key());
                prop_assert_eq!(key(&email.key()), email.key());
            }
        }

        #[test]
        fn a_stored_address_of_another_case_or_in_punycode_has_the_same_key(
            local in "[a-z0-9äöüéñжя]{1,12}",
            label in "[a-z0-9äöüéñжя]{1,12}",
        ) {
            if let Ok(email) = Email::parse(&format!("{local}@{label}.de")) {
                let in_ascii = DomainName::parse(&format!("{label}.de")).unwrap().ascii;
                prop_assert_eq!(key(&email.as_str().to_uppercase()), email.as_str());
                prop_assert_eq!(key(&format!("{local}@{in_ascii}")), email.as_str());
                prop_assert_eq!(key(&format!("{local}@{}", in_ascii.to_uppercase())), email.as_str());
            }
        }

        #[test]
        fn any_text_has_a_key_and_is_parsed_or_refused(text in any::<String>()) {
            let _ = Email::parse(&text);
            let once = key(&text);
            prop_assert_eq!(key(&once), once);
        }
    }

    #[rstest]
    #[case("ann@example.com", "ann@example.com")]
    #[case(" \tAnn@Example.COM\n", "ann@example.com")]
    #[case("a@b.example", "a@b.example")]
    #[case("a+tag_1/2=3!#$%&'*?^`{|}~-@b.de", "a+tag_1/2=3!#$%&'*?^`{|}~-@b.de")]
    #[case("1@2.3.museum", "1@2.3.museum")]
    #[case("a.b.c@d-e.f.de", "a.b.c@d-e.f.de")]
    #[case("a@xn--bcher-kva.de", "a@bücher.de")]
    #[case("A@XN--BCHER-KVA.DE", "a@bücher.de")]
    #[case("a@Bu\u{308}cher.de", "a@bücher.de")]
    #[case("a@bücher。de", "a@bücher.de")]
    #[case("a@ｂ.de", "a@b.de")]
    #[case("a@straße.de", "a@straße.de")]
    #[case("a@xn--e1afmkfd.xn--p1ai", "a@пример.рф")]
    #[case("JO\u{308}RG@b.de", "jörg@b.de")]
    #[case("用户@例子.广告", "用户@例子.广告")]
    #[case("I\u{307}@b.de", "i\u{307}@b.de")]
    #[case("a@test.de", "a@test.de")]
    #[case("a@local.host", "a@local.host")]
    fn an_address_is_taken_in_its_normal_form(#[case] text: &str, #[case] normal: &str) {
        assert_eq!(Email::parse(text).map(|email| email.0), Ok(normal.to_owned()));
    }

    // The sentences are email-validator 2.4's, where it has one for the fault.
    #[rstest]
    #[case("", "An email address must have an @-sign.")]
    #[case("ann", "An email address must have an @-sign.")]
    #[case(
        "ann＠b.de",
        "The email address has the \"full-width\" at-sign (@) character instead of a regular at-sign."
    )]
    #[case(
        "a﹫b.de",
        "The email address has the \"small commercial at\" character instead of a regular at-sign."
    )]
    #[case(
        "Ann <a@b.de>",
        "A display name and angle brackets around the email address are not permitted here."
    )]
    #[case("<a@b.de>", "A display name and angle brackets around the email address are not permitted here.")]
    #[case(
        "\"Ann\" <a@b.de>",
        "A display name and angle brackets around the email address are not permitted here."
    )]
    #[case("\"a b\"@c.de", "Quoting the part before the @-sign is not allowed here.")]
    #[case("@b.de", "There must be something before the @-sign.")]
    #[case("a@", "There must be something after the @-sign.")]
    #[case("a b@c.de", "The email address contains invalid characters before the @-sign: SPACE.")]
    #[case("a @c.de", "The email address contains invalid characters before the @-sign: SPACE.")]
    #[case(
        "a(x)\\'@c.de",
        "The email address contains invalid characters before the @-sign: '(', ')', \"\\\"."
    )]
    #[case("a\u{0}b@c.de", "The email address contains invalid characters before the @-sign: U+0000.")]
    #[case("a\r\nb@c.de", "The email address contains invalid characters before the @-sign: U+000A, U+000D.")]
    #[case("a\u{85}b@c.de", "The email address contains unsafe characters: U+0085.")]
    #[case("a\u{202e}b@c.de", "The email address contains unsafe characters: U+202E.")]
    #[case("a\u{200b}b@c.de", "The email address contains unsafe characters: U+200B.")]
    #[case("a\u{a0}b@c.de", "The email address contains unsafe characters: U+00A0.")]
    #[case("a\u{e000}b@c.de", "The email address contains unsafe characters: U+E000.")]
    #[case("a\u{fdd0}b@c.de", "The email address contains unsafe characters: U+FDD0.")]
    #[case("\u{301}a@c.de", "The email address contains unsafe characters: U+0301.")]
    #[case("a@\u{301}c.de", "The email address contains unsafe characters: U+0301.")]
    #[case("a@c\u{ad}d.de", "The email address contains unsafe characters: U+00AD.")]
    #[case(".a@b.de", "An email address cannot start with a period.")]
    #[case("a.@b.de", "An email address cannot have a period immediately before the @-sign.")]
    #[case("a..b@c.de", "An email address cannot have two periods in a row.")]
    #[case("a@b@c.de", "The part after the @-sign contains invalid characters: '@'.")]
    #[case("a@b c.de", "The part after the @-sign contains invalid characters: SPACE.")]
    #[case("a@b_c.de", "The part after the @-sign contains invalid characters: '_'.")]
    #[case("a@[127.0.0.1]", "A bracketed IP address after the @-sign is not allowed here.")]
    #[case("a@.b.de", "An email address cannot have a period immediately after the @-sign.")]
    #[case("a@b.de.", "An email address cannot end with a period.")]
    #[case("a@b.de。", "An email address cannot end with a period.")]
    #[case("a@b..de", "An email address cannot have two periods in a row.")]
    #[case("a@-b.de", "An email address cannot have a hyphen immediately after the @-sign.")]
    #[case("a@b.de-", "An email address cannot end with a hyphen.")]
    #[case("a@b-.de", "An email address cannot have a period and a hyphen next to each other.")]
    #[case("a@b.-de", "An email address cannot have a period and a hyphen next to each other.")]
    #[case(
        "a@ab--c.de",
        "An email address cannot have two letters followed by two dashes immediately after the @-sign or after a period, except Punycode."
    )]
    #[case("a@b", "The part after the @-sign is not valid. It should have a period.")]
    #[case("a@localhost", "The part after the @-sign is not valid. It should have a period.")]
    #[case(
        "a@127.0.0.1",
        "The part after the @-sign is not valid. It is not within a valid top-level domain."
    )]
    #[case("a@xn--0.de", "The part after the @-sign is not valid IDNA.")]
    #[case("a@xn--a.de", "The part after the @-sign is not valid IDNA.")]
    #[case("a@b\u{2488}.de", "The part after the @-sign is not valid IDNA.")]
    fn what_is_no_address_is_refused_with_the_reason(#[case] text: &str, #[case] reason: &str) {
        assert_eq!(Email::parse(text).unwrap_err().to_string(), reason);
    }

    #[rstest]
    fn domains_that_are_reserved_for_other_use_are_refused(
        #[values(
            "test",
            "invalid",
            "local",
            "localhost",
            "onion",
            "arpa",
            "TEST",
            "\u{ff54}est",
            "in-addr.arpa"
        )]
        top: &str,
    ) {
        assert_eq!(Email::parse(&format!("a@b.{top}")), Err(EmailError::ReservedDomain));
    }

    #[test]
    fn the_part_before_the_at_sign_holds_64_bytes_and_no_more() {
        assert!(Email::parse(&format!("{}@b.de", "a".repeat(64))).is_ok());
        assert!(Email::parse(&format!("{}@b.de", "é".repeat(32))).is_ok());
        let reason = |local: String| Email::parse(&format!("{local}@b.de")).unwrap_err().to_string();
        let long = "The email address is too long before the @-sign";
        assert_eq!(reason("a".repeat(65)), format!("{long} (1 character too many)."));
        assert_eq!(reason("é".repeat(33)), format!("{long} (2 bytes too many)."));
    }

    #[test]
    fn a_label_holds_63_bytes_as_the_dns_has_it_and_no_more() {
        assert!(Email::parse(&format!("a@{}.de", "b".repeat(63))).is_ok());
        let reason = |label: String| Email::parse(&format!("a@{label}.de")).unwrap_err();
        assert_eq!(
            reason("b".repeat(64)).to_string(),
            "After the @-sign, periods cannot be separated by so many characters (1 character too many)."
        );
        assert!(matches!(reason("ü".repeat(63)), EmailError::LongLabel(_)));
    }

    #[test]
    fn an_address_holds_254_bytes_in_either_form_and_no_more() {
        let local = "a".repeat(64);
        let label = "b".repeat(60);
        let ascii = |rest: usize| format!("{local}@{label}.{label}.{label}.{}", "c".repeat(rest));
        assert_eq!(Email::parse(&ascii(6)).unwrap().as_str().len(), 254);
        assert_eq!(
            Email::parse(&ascii(7)).unwrap_err().to_string(),
            "The email address is too long (1 character too many)."
        );

        // Short in ASCII, long in Unicode: Punycode takes a byte a letter for letters of three.
        let label = "日".repeat(40);
        let unicode = Email::parse(&format!("{local}@{label}.{label}.de")).unwrap_err();
        assert!(matches!(unicode, EmailError::LongNormalised(_)), "{unicode}");

        // Short in Unicode, long in ASCII: `xn--` and what follows it, for each label.
        let domain = format!("{}de", "bü.".repeat(30));
        let ascii = Email::parse(&format!("{local}@{domain}")).unwrap_err();
        assert!(matches!(ascii, EmailError::LongInAscii(_) | EmailError::LongAfterAt(_)), "{ascii}");
    }

    #[test]
    fn megabytes_are_refused_before_they_are_worked_on() {
        let long = "é".repeat(1 << 20);
        assert_eq!(Email::parse(&format!("a@{long}.de")), Err(EmailError::Endless));
        assert_eq!(EmailError::Endless.to_string(), "Length must not exceed 2048 characters");
        assert!(matches!(
            Email::parse(&format!("a@{}.de", "b.".repeat(1000))),
            Err(EmailError::LongAfterAt(_))
        ));
    }

    #[rstest]
    #[case("", "")]
    #[case(" Not An Address ", "not an address")]
    #[case("\"A B\"@XN--BCHER-KVA.DE", "\"a b\"@bücher.de")]
    #[case("A@B_C.DE", "a@b_c.de")]
    #[case("A@localhost", "a@localhost")]
    #[case("A@xn--\u{fc}.DE", "a@xn--ü.de")]
    fn what_is_stored_has_a_key_whatever_it_is(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(key(text), expected);
    }

    #[test]
    fn an_address_does_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", Email::parse("ann@b.de").unwrap()), "Email([REDACTED])");
    }
}
