//! One writer at a time for one thing: who reads a version, decides and writes is not overtaken between.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Things share these; two different ones that meet in the same wait for each other, which costs a moment and nothing else.
const LANES: usize = 256;

/// Whose turn it is.
#[derive(Clone)]
pub struct Turns(Arc<[Semaphore]>);

impl Default for Turns {
    fn default() -> Turns {
        Turns((0..LANES).map(|_| Semaphore::new(1)).collect())
    }
}

impl Turns {
    /// Waits for the turn of a thing; it ends when what is returned is dropped. Nobody holds two.
    pub async fn of(&self, thing: &str) -> SemaphorePermit<'_> {
        let mut hash = DefaultHasher::new();
        thing.hash(&mut hash);
        let lane = usize::try_from(hash.finish() % LANES as u64).unwrap_or(0);
        self.0[lane].acquire().await.expect("these semaphores are never closed")
    }
}
