//! The outcome, in Markdown.

use std::fmt::Write as _;
use std::time::Duration;

/// What one row tells about one number of users.
#[derive(Clone)]
pub(crate) struct Figure {
    pub(crate) row: String,
    pub(crate) goal: String,
    pub(crate) text: String,
    pub(crate) is_missed: bool,
}

/// All figures at one number of users. Every column has the same rows.
#[derive(Default)]
pub(crate) struct Column {
    pub(crate) figures: Vec<Figure>,
}

impl Column {
    /// Begins a group of rows.
    pub(crate) fn group(&mut self, name: &str) {
        self.tell(format!("**{name}**"), String::new());
    }

    /// A figure of which nothing is asked.
    pub(crate) fn tell(&mut self, row: impl Into<String>, text: String) {
        self.figures.push(Figure { row: row.into(), goal: String::new(), text, is_missed: false });
    }

    /// A figure that is to reach something.
    pub(crate) fn judge(
        &mut self,
        row: impl Into<String>,
        text: String,
        goal: impl Into<String>,
        is_reached: bool,
    ) {
        self.figures.push(Figure { row: row.into(), goal: goal.into(), text, is_missed: !is_reached });
    }
}

/// The table of the columns, each under its number of users.
pub(crate) fn markdown(sizes: &[u64], columns: &[Column]) -> String {
    let mut table = String::from("| |");
    // Writing to a `String` can't fail.
    for size in sizes {
        let _ = write!(table, " {} users |", grouped(*size));
    }
    let _ = writeln!(table, " to reach |\n|{}", " --- |".repeat(sizes.len() + 2));
    let rows = columns.first().map(|column| column.figures.as_slice()).unwrap_or_default();
    for (number, Figure { row, goal, .. }) in rows.iter().enumerate() {
        let _ = write!(table, "| {row} |");
        for figure in columns.iter().filter_map(|column| column.figures.get(number)) {
            let _ = write!(table, " {}{} |", figure.text, if figure.is_missed { " ✗" } else { "" });
        }
        let _ = writeln!(table, " {goal} |");
    }
    table
}

/// A number with its thousands parted.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with two digits that count, or more.
pub(crate) fn short(number: f64) -> String {
    match number {
        ..0.095 => format!("{number:.3}"),
        ..0.995 => format!("{number:.2}"),
        ..99.95 => format!("{number:.1}"),
        _ => {
            let digits = format!("{number:.0}");
            digits.parse().map_or(digits, grouped)
        }
    }
}

/// A time in milliseconds, without the unit.
pub(crate) fn millis(time: Duration) -> String {
    short(time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_cell_for_each_number_of_users_and_a_mark_where_the_goal_is_missed() {
        let column = |text: &str, is_reached| {
            let mut column = Column::default();
            column.group("Pages");
            column.judge("first page", text.to_owned(), "≤ 3 ms", is_reached);
            column
        };
        let table = markdown(&[1_000, 1_000_000], &[column("2.1", true), column("3.4", false)]);
        let expected = "| | 1,000 users | 1,000,000 users | to reach |\n\
            | --- | --- | --- | --- |\n\
            | **Pages** |  |  |  |\n\
            | first page | 2.1 | 3.4 ✗ | ≤ 3 ms |\n";
        assert_eq!(table, expected);
    }

    #[test]
    fn a_number_has_two_digits_that_count_or_more() {
        let shown = [0.0123, 0.876, 7.25, 99.97, 61_234.5].map(short);
        assert_eq!(shown, ["0.012", "0.88", "7.2", "100", "61,234"]);
    }
}
