//! A progress bar that comes up only when the work takes longer than two seconds.

use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Nobody needs a bar for less.
const PATIENCE: Duration = Duration::from_secs(2);

/// A bar on standard error; hidden where that is no terminal.
pub struct LateBar {
    bar: ProgressBar,
    begun: Instant,
    is_shown: bool,
}

impl LateBar {
    /// A bar with a template of `indicatif`.
    ///
    /// # Errors
    /// When the template is none.
    pub fn new(template: &str) -> anyhow::Result<LateBar> {
        let style = ProgressStyle::with_template(template).context("the bar's template")?;
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_style(style);
        Ok(LateBar { bar, begun: Instant::now(), is_shown: false })
    }

    /// So much is done, of so much as far as that is known.
    pub fn tell(&mut self, done: u64, all: Option<u64>) {
        if !self.is_shown && self.begun.elapsed() > PATIENCE {
            self.is_shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        if let Some(all) = all {
            self.bar.set_length(all);
        }
        self.bar.set_position(done);
    }

    /// What is worked at.
    pub fn name(&self, what: &str) {
        if self.bar.message() != what {
            self.bar.set_message(what.to_owned());
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
