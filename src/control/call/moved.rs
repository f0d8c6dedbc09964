//! A phone sends a call on by itself (302, the forward key on the phone): it goes there when no other phone of the round takes it.

use super::carried::Diverted;
use super::leg::{Dialog, Role};
use super::{Call, Stage, World};
use crate::control::words::LegId;

/// RFC 5806's word for it.
const DEFLECTION: &str = "deflection";

impl Call {
    /// Only phones of the house are followed, and whose phone it is pays: a far end that sends our calls elsewhere would call at our cost.
    pub(super) fn on_moved(&mut self, id: LegId, to: &str, world: &mut World<'_>) {
        let Some(Role::Agent(agent)) = self.leg(id).filter(|leg| leg.dialog == Dialog::Ringing).map(|leg| leg.role) else { return };
        let Stage::Dialling { legs, hunt, .. } = &mut self.stage else { return };
        let (Some(route), Some(known)) = (world.routes.wished(to, None), world.directory.agents.get(&agent)) else { return };
        if legs.contains(&id) {
            hunt.lead_on(&route, Diverted { by: known.number().to_owned(), reason: DEFLECTION, hops: 0, agent: Some(agent) }, world);
        }
    }
}
