//! The desk file: calendars and queues that all plans share.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::calendar::Calendar;
use crate::control::words::directory::Queue;

/// What `desk.yaml` says.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    /// Calendars by name.
    pub calendars: Arc<BTreeMap<String, Calendar>>,
    /// Queues by name, defaults put in.
    pub queues: BTreeMap<String, Queue>,
}
