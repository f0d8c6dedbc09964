//! Trunks: who is asked whether he is there, where we register, whose calls come in.

use std::sync::Arc;

use super::Switch;
use crate::control::call::ending::Refused;
use crate::control::event::Fact;
use crate::control::sip::endpoint::{Check, Errand, is_there};
use crate::control::sip::{Invited, Registration, Target};
use crate::control::time::Time;
use crate::control::trunks::State;
use crate::control::words::directory::Directory;
use crate::control::words::sip::Transport;
use crate::control::words::trunk::Trunk;

/// Our user part where nobody calls: From of OPTIONS.
const US: &str = "hotline";

impl Switch {
    /// Takes the trunks of the configuration up; those that stay as they were are left alone.
    pub(super) fn configure_trunks(&mut self, now: Time, before: Option<&Directory>) {
        let directory: Arc<Directory> = self.directory.clone();
        let same = |trunk: &Trunk| before.and_then(|before| before.trunks.get(&trunk.name)) == Some(trunk);
        for gone in before.iter().flat_map(|before| before.trunks.values()).filter(|old| directory.trunks.get(&old.name) != Some(*old)) {
            self.endpoint.unwatch(&gone.name);
            self.endpoint.unregister(now, &gone.name);
        }
        self.trunks.configure(&directory, same);
        for trunk in directory.trunks.values().filter(|trunk| !same(trunk)) {
            self.tell(now, &trunk.name, &State::Unknown);
            self.watch(now, trunk, &directory.domain);
            self.register_at(now, trunk);
        }
    }

    fn watch(&mut self, now: Time, trunk: &Trunk, domain: &str) {
        let Some(every) = trunk.check else { return };
        for (place, host) in (0..).zip(&trunk.hosts) {
            let uri = format!("sip:{}{}", host.to, host.to.wished().map_or("", Transport::uri_param));
            let (name, from) = (trunk.name.clone(), format!("sip:{US}@{domain}"));
            self.endpoint.watch(now, Check { name, place, target: Target::Eager(host.to.clone()), uri, from, every });
        }
    }

    fn register_at(&mut self, now: Time, trunk: &Trunk) {
        let (Some(registers), Some(credentials)) = (&trunk.registers, &trunk.credentials) else { return };
        let Some(host) = trunk.hosts.get(self.trunks.host(&trunk.name)).map(|host| host.to.clone()) else { return };
        let transport = host.wished().map_or("", Transport::uri_param);
        self.endpoint.register(
            now,
            Registration {
                target: Target::Eager(host),
                registrar: format!("sip:{}{transport}", registers.domain),
                record: format!("sip:{}@{}", credentials.user, registers.domain),
                user: trunk.name.clone(),
                expires: registers.expires,
                errand: Errand::Bind,
                credentials: Some(credentials.clone()),
            },
        );
    }

    pub(super) fn on_checked(&mut self, now: Time, name: &str, place: u16, status: Option<u16>) {
        let news = self.trunks.checked(name, place, status);
        self.tell_news(now, name, news);
    }

    pub(super) fn on_signed_on(&mut self, now: Time, name: &str) {
        let news = self.trunks.signed_on(name);
        self.tell_news(now, name, news);
    }

    pub(super) fn on_sign_on_failed(&mut self, now: Time, name: &str, status: u16) {
        let news = self.trunks.sign_on_failed(now, name, status);
        self.tell_news(now, name, news);
        let directory = self.directory.clone();
        if let Some(trunk) = directory.trunks.get(name).filter(|_| !is_there(status))
            && self.trunks.next_host(now, name).is_some()
        {
            self.register_at(now, trunk);
        }
    }

    /// Registrars that refused us are asked again.
    pub(super) fn register_again(&mut self, now: Time) {
        while let Some(name) = self.trunks.due(now) {
            let directory = self.directory.clone();
            if let Some(trunk) = directory.trunks.get(&name) {
                self.register_at(now, trunk);
            }
        }
    }

    /// We take no more calls: registrars need not send us any.
    pub(super) fn leave_trunks(&mut self, now: Time) {
        for trunk in self.directory.trunks.values() {
            self.endpoint.unwatch(&trunk.name);
            self.endpoint.unregister(now, &trunk.name);
        }
    }

    fn tell_news(&mut self, now: Time, name: &str, news: Option<State>) {
        if let Some(state) = news {
            self.tell(now, name, &state);
        }
    }

    fn tell(&mut self, now: Time, name: &str, state: &State) {
        let (word, why) = state.words();
        let fact = Fact::TrunkState { trunk: name.to_owned(), state: word.to_owned(), why };
        self.sessions.journal(now, fact, &mut self.work.sessions);
    }

    /// The trunk that a call came by: whose address it came from, or where we are registered.
    pub(super) fn trunk_of(&self, now: Time, invited: &Invited) -> Option<String> {
        if self.directory.trunks.is_empty() {
            return None;
        }
        let ip = invited.flow.remote.ip();
        let by_source = self.directory.trunks.values().find(|trunk| trunk.has_source(ip)).map(|trunk| trunk.name.as_str());
        by_source.or_else(|| self.endpoint.registered_with(now, ip)).map(str::to_owned)
    }
}

/// A trunk's call with its numbers as we write them. A registrar calls us by the name that we registered: then To says what was dialled.
///
/// # Errors
/// [`Refused::UnknownNumber`] when no line of the trunk fits the number.
pub(super) fn read_as(trunk: &Trunk, invited: &mut Invited) -> Result<(), Refused> {
    if trunk.registers.is_some() && invited.user == trunk.name {
        invited.user.clone_from(&invited.to);
    }
    invited.user = trunk.numbers.inward(&invited.user).ok_or(Refused::UnknownNumber)?;
    invited.caller = trunk.numbers.caller_inward(&invited.caller);
    Ok(())
}
