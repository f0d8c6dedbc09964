//! How early packets come: the last few seconds of arrivals, and the share of them that the buffer has to wait for.

/// Packets that are remembered: 5 s at 20 ms.
const WINDOW: usize = 256;
/// Late packets that concealment may take care of: one in so many.
const LATE_ALLOWED: usize = 100;
/// Packets between two looks at the whole window.
const LOOK: usize = 16;

/// Leads: how far before the moment of an even clock a packet came, in samples; only differences between them mean anything.
#[derive(Debug)]
pub struct Delays {
    leads: [i32; WINDOW],
    count: usize,
    next: usize,
    unseen: usize,
    least: i32,
    most: i32,
}

impl Default for Delays {
    fn default() -> Delays {
        Delays { leads: [0; WINDOW], count: 0, next: 0, unseen: 0, least: 0, most: 0 }
    }
}

impl Delays {
    /// A packet came.
    pub fn add(&mut self, lead: i64) {
        let lead = lead.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        self.leads[self.next] = lead;
        self.next = (self.next + 1) % WINDOW;
        self.count = (self.count + 1).min(WINDOW);
        self.unseen += 1;
        if lead < self.least || self.count <= LOOK || self.unseen >= LOOK {
            self.look();
        }
    }

    /// Packets seen, as many as are remembered.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The lead that all packets have but the few that may be late.
    pub fn least(&self) -> i64 {
        i64::from(self.least)
    }

    /// The lead of the fastest packet.
    pub fn most(&self) -> i64 {
        i64::from(self.most)
    }

    /// Between the fastest packet and the slowest that is waited for, in samples.
    pub fn spread(&self) -> i64 {
        self.most() - self.least()
    }

    fn look(&mut self) {
        self.unseen = 0;
        let mut leads = self.leads;
        let seen = &mut leads[..self.count];
        let (_, least, rest) = seen.select_nth_unstable(self.count / LATE_ALLOWED);
        self.least = *least;
        self.most = rest.iter().copied().max().unwrap_or(*least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_late_packet_in_a_hundred_is_not_waited_for() {
        let mut delays = Delays::default();
        (0..256).for_each(|at| delays.add(if at % 128 == 127 { -400 } else { at % 2 * 80 }));
        assert_eq!((delays.least(), delays.most()), (0, 80));
        (0..256).for_each(|at| delays.add(if at % 32 == 31 { -400 } else { 80 }));
        assert_eq!(delays.least(), -400);
        (0..256).for_each(|_| delays.add(80));
        assert_eq!(delays.spread(), 0);
    }
}
