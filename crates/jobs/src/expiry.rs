use roster_domain::ports::Expired;
use roster_domain::values::Timestamp;
use time::OffsetDateTime;

/// The line that says so, where anybody is; `now` says when those are deleted who are due.
#[must_use]
pub fn told(Expired { due, spared, spared_until }: Expired, now: &str) -> Option<String> {
    let users = |count: u64| if count == 1 { "1 user".to_owned() } else { format!("{count} users") };
    let too_long = "in the trash for longer than TRASH_RETENTION_DAYS: deleted for good";
    let due = (due > 0).then(|| format!("{} {too_long} {now}", users(due)));
    let spared = spared_until.filter(|_| spared > 0).map(|until| {
        format!(
            "{} {too_long} from {} on, as taken over or copied less than a day before",
            users(spared),
            date(until)
        )
    });
    let parts: Vec<String> = due.into_iter().chain(spared).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// A date that an operator reads, to the minute, which is over by then.
fn date(at: Timestamp) -> String {
    match OffsetDateTime::from_unix_timestamp(at.as_seconds().saturating_add(59)) {
        Ok(time) => format!("{} {:02}:{:02} UTC", time.date(), time.hour(), time.minute()),
        Err(_) => "the end of time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_past_the_retention_is_told_with_the_date() {
        let until = Some(Timestamp::from_millis(1_739_186_539_096));
        let none = Expired::default();
        assert_eq!(told(none, "now"), None);
        let due = Expired { due: 1, ..none };
        let one = "1 user in the trash for longer than TRASH_RETENTION_DAYS: deleted for good now";
        assert_eq!(told(due, "now").as_deref(), Some(one));
        let both = told(Expired { due: 1, spared: 2, spared_until: until }, "now").unwrap();
        assert!(both.starts_with(one), "{both}");
        let spared = "2 users in the trash for longer than TRASH_RETENTION_DAYS: deleted for good from 2025-02-10 11:23 UTC on";
        assert!(both.contains(spared), "{both}");
    }
}
