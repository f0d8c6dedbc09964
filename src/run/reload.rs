//! Hot reload: a task that looks at the files and tells the rules of a good new configuration.

use std::time::Duration;

use crossbeam_channel::Sender;

use crate::config::watch::{Look, Watch};
use crate::control::surface::Input;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Looks until the door is closed.
pub async fn run(mut watch: Watch, door: Sender<Input>) {
    let mut clock = tokio::time::interval(EVERY);
    loop {
        clock.tick().await;
        let looked = tokio::task::spawn_blocking(move || {
            let look = watch.look();
            (watch, look)
        });
        let Ok((returned, look)) = looked.await else { return };
        watch = returned;
        match look {
            Look::Same => {}
            Look::Changed(config) => {
                tracing::info!(plans = config.directory.plans.len(), agents = config.directory.agents.len(), "new configuration in force");
                if door.send(Input::Directory(config.directory)).is_err() {
                    return;
                }
            }
            Look::Broken(problems) => {
                for problem in &problems {
                    tracing::error!("{problem}");
                }
                tracing::error!(problems = problems.len(), "the changed files have errors: the configuration that works stays in force");
            }
        }
    }
}
