//! Signals: the first asks the rules to drain, a second one ends the process at once.

use tokio::signal::unix::{SignalKind, signal};

use super::DRAIN;
use crate::control::surface::Input;
use crate::control_handle::ControlHandle;

/// What a shell expects of a process that SIGTERM ended.
const FORCED: i32 = 143;

/// Waits for SIGTERM or SIGINT, twice.
pub async fn watch(door: ControlHandle) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::error!("signals cannot be watched: only SIGKILL ends this process");
        return;
    };
    let mut first = true;
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if !first {
            tracing::warn!("asked twice: closing at once");
            std::process::exit(FORCED);
        }
        first = false;
        tracing::info!(limit = ?DRAIN, "draining: no new work, running calls go on; ask again to force");
        let _ = door.send(Input::Drain { until: crate::clock::now() + DRAIN });
    }
}
