//! RTP ports leased as data: every port is bound at start, and rests after use so that a late packet of the last call
//! never reaches the next one.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::control::time::Time;
use crate::control::words::directory::Worker;
use crate::control::words::media::WorkerId;

/// The right to one port until it is given back. Not copyable: what is leased once can be released once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a lease that is dropped is a leaked port"]
pub struct Lease {
    /// Whose port.
    pub worker: WorkerId,
    /// The address our SDP says.
    pub address: IpAddr,
    /// Other addresses that lead to it.
    pub others: Arc<[IpAddr]>,
    /// The UDP port.
    pub port: u16,
}

/// All ports of all workers.
#[derive(Debug)]
pub struct Ports {
    workers: Vec<Stock>,
    rest: Duration,
}

#[derive(Debug)]
struct Stock {
    id: WorkerId,
    address: IpAddr,
    others: Arc<[IpAddr]>,
    free: VecDeque<u16>,
    resting: VecDeque<(Time, u16)>,
    leased: usize,
}

/// How many ports are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortCounts {
    /// Ready.
    pub free: usize,
    /// Used, not ready yet.
    pub resting: usize,
    /// In use.
    pub leased: usize,
}

impl Ports {
    /// The ports of these workers, all free.
    #[must_use]
    pub fn new(workers: &[Worker], rest: Duration) -> Ports {
        let workers = workers
            .iter()
            .map(|worker| Stock {
                id: worker.id,
                address: worker.advertised,
                others: Arc::clone(&worker.others),
                free: worker.ports.iter().copied().collect(),
                resting: VecDeque::new(),
                leased: 0,
            })
            .collect();
        Ports { workers, rest }
    }

    /// The worker with the fewest leased ports that still has one to give.
    pub fn least_loaded(&mut self, now: Time) -> Option<WorkerId> {
        for stock in &mut self.workers {
            stock.wake(now);
        }
        self.workers.iter().filter(|stock| !stock.free.is_empty()).min_by_key(|stock| stock.leased).map(|stock| stock.id)
    }

    /// A port of this worker; `None` when all are in use or resting.
    pub fn lease(&mut self, now: Time, worker: WorkerId) -> Option<Lease> {
        let stock = self.workers.iter_mut().find(|stock| stock.id == worker)?;
        stock.wake(now);
        let port = stock.free.pop_front()?;
        stock.leased += 1;
        Some(Lease { worker, address: stock.address, others: Arc::clone(&stock.others), port })
    }

    /// Gives a port back; it rests before it is leased again.
    pub fn release(&mut self, now: Time, lease: Lease) {
        let ready = now + self.rest;
        let Some(stock) = self.workers.iter_mut().find(|stock| stock.id == lease.worker) else { return };
        stock.leased -= 1;
        stock.resting.push_back((ready, lease.port));
    }

    /// How many ports are where.
    #[must_use]
    pub fn counts(&self) -> PortCounts {
        self.workers.iter().fold(PortCounts::default(), |sum, stock| PortCounts {
            free: sum.free + stock.free.len(),
            resting: sum.resting + stock.resting.len(),
            leased: sum.leased + stock.leased,
        })
    }
}

impl Stock {
    fn wake(&mut self, now: Time) {
        while let Some((ready, port)) = self.resting.front().copied() {
            if ready > now {
                return;
            }
            self.resting.pop_front();
            self.free.push_back(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(2);

    fn worker(id: u16, ports: &[u16]) -> Worker {
        Worker { id: WorkerId(id), advertised: IpAddr::from([10, 0, 0, 1]), others: Arc::default(), ports: ports.to_vec() }
    }

    #[test]
    fn a_released_port_rests_before_it_is_leased_again() {
        let mut ports = Ports::new(&[worker(0, &[4000])], REST);
        let lease = ports.lease(Time(0), WorkerId(0)).unwrap();
        assert_eq!(ports.lease(Time(0), WorkerId(0)), None);
        ports.release(Time(0), lease);
        assert_eq!(ports.lease(Time(1_999_999), WorkerId(0)), None);
        assert_eq!(ports.lease(Time(2_000_000), WorkerId(0)).map(|lease| lease.port), Some(4000));
    }

    #[test]
    fn the_least_loaded_worker_with_a_port_is_chosen() {
        let mut ports = Ports::new(&[worker(0, &[4000, 4002]), worker(1, &[5000])], REST);
        let first = ports.least_loaded(Time(0)).unwrap();
        assert_eq!(first, WorkerId(0));
        let one = ports.lease(Time(0), first).unwrap();
        assert_eq!(ports.least_loaded(Time(0)), Some(WorkerId(1)));
        let two = ports.lease(Time(0), WorkerId(1)).unwrap();
        let three = ports.lease(Time(0), WorkerId(0)).unwrap();
        assert_eq!(ports.least_loaded(Time(0)), None);
        assert_eq!(ports.counts(), PortCounts { free: 0, resting: 0, leased: 3 });
        for lease in [one, two, three] {
            ports.release(Time(0), lease);
        }
        assert_eq!(ports.counts(), PortCounts { free: 0, resting: 3, leased: 0 });
    }
}
