use std::time::Duration;

use roster_domain::{Rate, RateLimits};

use super::error::{SettingsError, WrongValue, shown};
use super::reader::Reader;

/// The most that a limit may allow, so that none is a mistake for `off`.
const MOST: u32 = 1_000_000;

/// Reads who may ask how often.
pub(super) fn read(reader: &Reader<'_>) -> Result<RateLimits, SettingsError> {
    let are_on = reader.choice("RATE_LIMITS", "on", &[("on", true), ("off", false)])?;
    let minute = |text: &str| rate(text, Duration::from_mins(1), "20,10");
    let hour = |text: &str| rate(text, Duration::from_hours(1), "60,60");
    let limits = RateLimits {
        log_in_failures_per_client: reader.value("LOGIN_FAILURES_PER_CLIENT", "20,10", minute)?,
        log_in_failures_per_account: reader.value("LOGIN_FAILURES_PER_ACCOUNT", "100", count)?,
        sign_ups_per_client: reader.value("SIGNUPS_PER_CLIENT", "60,60", hour)?,
    };
    Ok(if are_on { limits } else { RateLimits::default() })
}

/// So many at once, and then so many in that time.
fn rate(text: &str, time: Duration, example: &'static str) -> Result<Option<Rate>, WrongValue> {
    if is_off(text) {
        return Ok(None);
    }
    let rate = text
        .split_once(',')
        .and_then(|(at_once, then)| Some(Rate { at_once: number(at_once)?, every: time / number(then)? }));
    rate.map(Some).ok_or_else(|| {
        let remedy = format!("give how many at once and how many then, such as {example}, or off");
        WrongValue::new(format!("is {}, which is no limit", shown(text)), remedy)
    })
}

fn count(text: &str) -> Result<Option<u32>, WrongValue> {
    if is_off(text) {
        return Ok(None);
    }
    number(text).map(Some).ok_or_else(|| {
        let problem = format!("is {}, which is no limit", shown(text));
        WrongValue::new(problem, format!("give a whole number from 1 to {MOST}, such as 100, or off"))
    })
}

fn is_off(text: &str) -> bool {
    text.eq_ignore_ascii_case("off")
}

fn number(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|number| (1..=MOST).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_so_many_at_once_and_then_so_many_in_a_time() {
        let rate = |text| rate(text, Duration::from_mins(1), "20,10");
        assert_eq!(rate("20,10").unwrap(), Some(Rate { at_once: 20, every: Duration::from_secs(6) }));
        assert_eq!(rate(" 1 , 60 ").unwrap(), Some(Rate { at_once: 1, every: Duration::from_secs(1) }));
        assert_eq!(rate("Off").unwrap(), None);
        for wrong in ["20", "20,", ",10", "0,10", "20,0", "20,10,5", "-1,1", "many", "1000001,1"] {
            assert!(rate(wrong).unwrap_err().to_string().contains("20,10"), "{wrong}");
        }
    }

    #[test]
    fn a_count_is_a_number_or_off() {
        assert_eq!((count("100").unwrap(), count("off").unwrap()), (Some(100), None));
        for wrong in ["0", "-1", "1000001", "1.5", "100,1"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }
}
