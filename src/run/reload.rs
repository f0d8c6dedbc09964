//! The configuration in force: who shows it, and how another one takes its place. `plans` looks at the files and decides when.

use std::sync::Arc;

use tokio::sync::watch;

use super::setup;
use crate::api::ChannelSecrets;
use crate::channels::{Adapters, InForce};
use crate::config::Config;
use crate::config::server::Server;
use crate::control::surface::Input;
use crate::control::words::directory::Directory;
use crate::control::words::live::Live;
use crate::control_handle::ControlHandle;
use crate::lookups::Guard;

/// The parts of the configuration that edges look at while they run.
pub struct Showing {
    /// For the API.
    pub directory: watch::Receiver<Arc<Directory>>,
    /// For the API's door of chat lines.
    pub channels: watch::Receiver<Arc<ChannelSecrets>>,
    /// For chat lines outward.
    pub adapters: InForce,
}

/// The other side of [`Showing`].
pub struct Shown {
    directory: watch::Sender<Arc<Directory>>,
    channels: watch::Sender<Arc<ChannelSecrets>>,
    adapters: watch::Sender<Arc<Adapters>>,
}

/// What is in force at the start.
pub fn shown(directory: &Arc<Directory>, server: &Server) -> (Shown, Showing) {
    let (directory, directory_seen) = watch::channel(Arc::clone(directory));
    let (channels, channels_seen) = watch::channel(Arc::new(setup::channel_secrets(server)));
    let (adapters, adapters_seen) = watch::channel(Arc::new(setup::adapters(server)));
    let showing = Showing { directory: directory_seen, channels: channels_seen, adapters: adapters_seen };
    (Shown { directory, channels, adapters }, showing)
}

impl Shown {
    /// Answers with the directory before.
    fn replace(&self, config: &Config) -> Arc<Directory> {
        let before = self.directory.send_replace(Arc::clone(&config.directory));
        self.channels.send_replace(Arc::new(setup::channel_secrets(&config.server)));
        self.adapters.send_replace(Arc::new(setup::adapters(&config.server)));
        before
    }
}

/// The configuration in force, and everybody who must hear of another one.
pub struct Installed {
    /// The rules.
    pub door: ControlHandle,
    /// The edges.
    pub shown: Shown,
    /// Whom lookups may ask.
    pub guard: Guard,
}

impl Installed {
    /// The directory in force.
    #[must_use]
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.shown.directory.borrow())
    }

    /// A configuration comes into force.
    pub fn replace(&self, config: &Config) {
        tracing::info!(plans = config.directory.plans.len(), agents = config.directory.agents.len(), "new configuration in force");
        let before = self.shown.replace(config);
        self.tell(&before, &config.directory);
    }

    /// Versions on trial or notices change, and nothing else.
    pub fn replace_live(&self, live: Live) {
        let before = self.directory();
        let fresh = Arc::new(Directory { live, ..Directory::clone(&before) });
        self.shown.directory.send_replace(Arc::clone(&fresh));
        self.tell(&before, &fresh);
    }

    fn tell(&self, before: &Directory, fresh: &Arc<Directory>) {
        self.guard.replace(reach_of_both(before, fresh));
        if self.door.send(Input::Directory(Arc::clone(fresh))).is_err() {
            tracing::error!("the rules do not take the new configuration");
        }
    }
}

/// A running call keeps the plan it began with, so what the plans before may ask stays allowed until the next change.
fn reach_of_both(before: &Directory, fresh: &Directory) -> Vec<String> {
    let mut hosts = setup::reach(fresh);
    hosts.extend(setup::reach(before));
    hosts
}
