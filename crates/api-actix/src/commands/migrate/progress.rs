use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

use crate::Failure;

/// How far a phase has come: a bar on a terminal, and elsewhere a line for each tenth. It goes to standard error.
pub(super) struct Progress {
    phase: &'static str,
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn start(phase: &'static str, total: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let template = "{bar:30} {human_pos}/{human_len} accounts {msg}, {eta} to go";
            let style =
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total).with_style(style).with_message(phase)
        });
        // Where the terminal can move no cursor it shows nothing.
        Self { phase, total, done: 0, bar: bar.filter(|bar| !bar.is_hidden()) }
    }

    pub(super) fn advance(&mut self, by: u64) -> Result<(), Failure> {
        let tenths = |done: u64| done.saturating_mul(10) / self.total.max(1);
        let is_next = tenths(self.done + by) > tenths(self.done);
        self.done += by;
        if let Some(bar) = &self.bar {
            bar.inc(by);
        } else if is_next {
            let Self { phase, total, done, .. } = self;
            writeln!(io::stderr(), "{phase} {done} of {total} accounts").map_err(Failure::Output)?;
        }
        Ok(())
    }

    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish();
        }
    }
}
