//! Hot reload: when a file changes, the whole configuration is read again. A broken file changes nothing: its problems are
//! told and the configuration that works stays.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::control::words::directory::Directory;

use super::problem::Problem;
use super::{Args, Config, Secrets, files, load};

/// Watches the files behind a running configuration.
#[derive(Debug)]
pub struct Watch {
    args: Args,
    running: Arc<Directory>,
    dialplans: PathBuf,
    seen: Vec<(PathBuf, Option<SystemTime>, u64)>,
}

/// What a look at the files found.
#[derive(Debug)]
pub enum Look {
    /// Nothing new.
    Same,
    /// A good new configuration.
    Changed(Box<Config>),
    /// New files with errors: the old configuration stays.
    Broken(Vec<Problem>),
}

impl Watch {
    /// Begins with the configuration that runs; its directory has the sockets and ports that are really bound.
    #[must_use]
    pub fn new(args: Args, config: &Config, running: Arc<Directory>) -> Watch {
        let dialplans = config.server.folders.dialplans.clone();
        let seen = files::fingerprint(&args.home, &dialplans);
        // Sentences of calls come with the meanings of the model that the server began with.
        let args = Args { sentence_model: config.server.folders.sentence_model.clone(), ..args };
        Watch { args, running, dialplans, seen }
    }

    /// Looks once; call every second or two. Each change is told once, broken or not.
    pub fn look(&mut self) -> Look {
        let now = files::fingerprint(&self.args.home, &self.dialplans);
        if now == self.seen {
            return Look::Same;
        }
        self.seen = now;
        self.read()
    }

    /// Reads everything now, changed or not.
    pub fn look_now(&mut self) -> Look {
        self.seen = files::fingerprint(&self.args.home, &self.dialplans);
        self.read()
    }

    /// The arguments that the configuration is read with.
    #[must_use]
    pub fn args(&self) -> &Args {
        &self.args
    }

    fn read(&mut self) -> Look {
        match load(&self.args, Secrets { nonces: self.running.secret, keys: self.running.protection.chance.0 }) {
            Ok(config) => Look::Changed(Box::new(self.keep_what_is_bound(config))),
            Err(problems) => Look::Broken(problems),
        }
    }

    /// Sockets, ports, domain and what recordings are written as take effect at the next start only.
    fn keep_what_is_bound(&mut self, mut config: Config) -> Config {
        let fresh = Arc::make_mut(&mut config.directory);
        fresh.listeners.clone_from(&self.running.listeners);
        fresh.workers.clone_from(&self.running.workers);
        fresh.recording_form = self.running.recording_form;
        fresh.live.clone_from(&self.running.live);
        fresh.protection.fingerprint = self.running.protection.fingerprint;
        self.running = Arc::clone(&config.directory);
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna(skill: &str) -> String {
        format!("[agents.anna]\npassword = \"secret-1\"\nskills = {{{skill} = 5}}\n")
    }

    #[test]
    fn a_broken_file_keeps_the_old_version_and_a_good_one_replaces_it() {
        let home = tempfile::tempdir().unwrap();
        let phones = home.path().join("sip-config/phones.toml");
        std::fs::create_dir(home.path().join("sip-config")).unwrap();
        std::fs::write(&phones, anna("claims")).unwrap();
        let args = Args { home: home.path().to_owned(), ..Args::default() };
        let config = load(&args, Secrets { nonces: 9, keys: [0; 32] }).unwrap();
        let mut bound = (*config.directory).clone();
        bound.listeners[0].bound.set_port(1234);
        let mut watch = Watch::new(args, &config, Arc::new(bound));
        assert!(matches!(watch.look(), Look::Same));

        std::fs::write(&phones, "[agents.anna\n").unwrap();
        let Look::Broken(problems) = watch.look() else { panic!("a broken file must be told") };
        assert!(problems[0].place.contains("phones.toml:1:"), "{problems:?}");
        assert!(matches!(watch.look(), Look::Same), "told once");

        std::fs::write(&phones, anna("insurance")).unwrap();
        let Look::Changed(fresh) = watch.look() else { panic!("a mended file must be taken") };
        assert!(fresh.directory.agents.values().all(|agent| agent.skills.contains_key("insurance")));
        assert_eq!(fresh.directory.listeners[0].bound.port(), 1234);
        assert_eq!(fresh.directory.secret, 9);
    }
}
