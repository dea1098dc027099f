use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use roster_transfer::{Phase, Progress};

/// How far a phase has come: a bar on a terminal, and elsewhere a line for each tenth. It goes to standard error.
#[derive(Default)]
pub(super) struct Bar {
    phase: &'static str,
    total: u64,
    done: u64,
    drawn: Option<ProgressBar>,
}

impl Progress for Bar {
    fn begin(&mut self, phase: Phase, total: u64) {
        let phase = match phase {
            Phase::Copy => "copied",
            Phase::Comparison => "compared",
        };
        let drawn = io::stderr().is_terminal().then(|| {
            let template = "{bar:30} {human_pos}/{human_len} accounts {msg}, {eta} to go";
            let style =
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total).with_style(style).with_message(phase)
        });
        // Where the terminal can move no cursor it shows nothing.
        *self = Self { phase, total, done: 0, drawn: drawn.filter(|drawn| !drawn.is_hidden()) };
    }

    fn advance(&mut self, by: u64) -> io::Result<()> {
        let tenths = |done: u64| done.saturating_mul(10) / self.total.max(1);
        let is_next = tenths(self.done + by) > tenths(self.done);
        self.done += by;
        if let Some(drawn) = &self.drawn {
            drawn.inc(by);
        } else if is_next {
            let Self { phase, total, done, .. } = self;
            writeln!(io::stderr(), "{phase} {done} of {total} accounts")?;
        }
        Ok(())
    }

    fn end(&mut self) {
        if let Some(drawn) = &self.drawn {
            drawn.finish();
        }
    }
}
