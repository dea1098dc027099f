use std::fmt;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

/// A time as pydantic prints it: UTC, no zone letter, six digits of a second's fraction, none where it is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Since 1970, in UTC.
    millis: i64,
}

impl Time {
    /// From the milliseconds since 1970, in UTC.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self { millis }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { millis } = *self;
        let time = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000))
            .ok()
            .filter(|time| (1..=9999).contains(&time.year()));
        let Some(time) = time else {
            // No calendar of four-digit years has it; its end on that side has to do.
            return f.write_str(if millis < 0 {
                "0001-01-01T00:00:00"
            } else {
                "9999-12-31T23:59:59.999000"
            });
        };
        let (date, (hour, minute, second)) = (time.date(), time.to_hms());
        let (year, fraction) = (date.year().unsigned_abs(), millis.rem_euclid(1000).unsigned_abs());
        // By hand, as a page has dozens: seven numbers with leading zeros take `write!` ten times as long.
        let mut text = *b"0000-00-00T00:00:00.000000";
        put_digits(&mut text[0..4], year.into());
        put_digits(&mut text[5..7], u8::from(date.month()).into());
        put_digits(&mut text[8..10], date.day().into());
        put_digits(&mut text[11..13], hour.into());
        put_digits(&mut text[14..16], minute.into());
        put_digits(&mut text[17..19], second.into());
        put_digits(&mut text[20..23], fraction);
        let length = if fraction == 0 { 19 } else { text.len() };
        f.write_str(str::from_utf8(&text[..length]).unwrap_or_default())
    }
}

/// Writes the number's last digits, as many as there is room for.
fn put_digits(room: &mut [u8], mut number: u64) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(1_739_186_539_096, "2025-02-10T11:22:19.096000")]
    #[case(1_739_186_539_000, "2025-02-10T11:22:19")]
    #[case(0, "1970-01-01T00:00:00")]
    #[case(-1, "1969-12-31T23:59:59.999000")]
    #[case(i64::MAX, "9999-12-31T23:59:59.999000")]
    #[case(i64::MIN, "0001-01-01T00:00:00")]
    fn a_time_is_printed_as_pydantic_prints_it(#[case] millis: i64, #[case] printed: &str) {
        assert_eq!(Time::from_millis(millis).to_string(), printed);
    }
}
