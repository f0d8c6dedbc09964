//! Hot reload: a task that looks at the files and tells the rules of a good new configuration.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::watch::{Look, Watch};
use crate::control::surface::Input;
use crate::control::words::directory::Directory;
use crate::control_handle::ControlHandle;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Looks until the door is closed.
pub async fn run(mut files: Watch, door: ControlHandle, shown: watch::Sender<Arc<Directory>>) {
    let mut clock = tokio::time::interval(EVERY);
    loop {
        clock.tick().await;
        let looked = tokio::task::spawn_blocking(move || {
            let look = files.look();
            (files, look)
        });
        let Ok((returned, look)) = looked.await else { return };
        files = returned;
        match look {
            Look::Same => {}
            Look::Changed(config) => {
                tracing::info!(plans = config.directory.plans.len(), agents = config.directory.agents.len(), "new configuration in force");
                shown.send_replace(Arc::clone(&config.directory));
                if door.send(Input::Directory(config.directory)).is_err() {
                    tracing::error!("the rules do not take the new configuration");
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
