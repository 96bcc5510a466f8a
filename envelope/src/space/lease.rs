//! How long the relay keeps a blob, as far as its owner knows.

use crate::{OpenError, layout::Layout, manifest::manifest_class};
use nightdrop_wire::{ids::BlobId, price, season};
use serde::{Deserialize, Serialize};

/// Days before the end of a lease in which it is urgent to make it longer.
const URGENT: u32 = 14;
/// Days after the end of a lease for which the relay may still have the blob: one that was off on its last days clears nothing away for a week.
const PERHAPS: u32 = 10;

/// How long the relay keeps a blob. Field order is the byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The last day on which it is there, in days since 1970-01-01 (UTC).
    pub until: u32,
    /// The relay did not make it longer when it was asked, or paid.
    pub is_last: bool,
}

/// What an owner came to know of the lease of a blob. Field order is the byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseNews {
    /// Which blob.
    pub blob: BlobId,
    /// Its lease from now on.
    pub lease: Lease,
}

impl Lease {
    /// One of which nothing else is known.
    #[must_use]
    pub const fn until(until: u32) -> Self {
        Self { until, is_last: false }
    }

    /// Days that are left after today; none if it is over.
    #[must_use]
    pub const fn days_left(&self, today: u32) -> Option<u32> {
        self.until.checked_sub(today)
    }

    /// Whether it is in its last season. One that the relay did not make longer is due in its last days only: a clock may have been wrong, and asking costs nothing. One that is over
    /// is due for some days more.
    #[must_use]
    pub fn is_due(&self, today: u32) -> bool {
        let days = if self.is_last { URGENT } else { season::DAYS };
        self.days_left(today).map_or_else(|| self.is_perhaps_there(today), |left| left < days)
    }

    /// Whether it is in its last days, or just over: then it is extended by the first who can, and not by chance.
    #[must_use]
    pub fn is_urgent(&self, today: u32) -> bool {
        self.days_left(today).map_or_else(|| self.is_perhaps_there(today), |left| left < URGENT)
    }

    fn is_perhaps_there(&self, today: u32) -> bool {
        !self.is_last && today <= self.until.saturating_add(PERHAPS)
    }
}

/// Units that a blob costs whose content has so many bytes.
///
/// # Errors
/// [`OpenError`] if nothing is so long.
pub fn price_of(size: u64) -> Result<u32, OpenError> {
    let layout = Layout::of_size(size)?;
    let manifest = manifest_class(&layout)?;
    Ok(match layout.chunks() {
        1 => price::of_whole(layout.class(), manifest),
        chunks => price::of_finished(chunks, manifest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_due_in_its_last_thirteen_weeks() {
        let lease = Lease::until(1_000);
        assert_eq!(
            [908, 909, 910, 1_000, 1_001, 1_010, 1_011].map(|day| lease.is_due(day)),
            [false, false, true, true, true, true, false]
        );
        assert_eq!(
            [986, 987, 1_000, 1_001, 1_010, 1_011].map(|day| lease.is_urgent(day)),
            [false, true, true, true, true, false]
        );
        let last = Lease { is_last: true, ..lease };
        assert_eq!(
            [910, 986, 987, 1_000, 1_001].map(|day| last.is_due(day)),
            [false, false, true, true, false]
        );
        assert_eq!((lease.days_left(999), lease.days_left(1_001)), (Some(1), None));
    }

    #[test]
    fn a_longer_lease_costs_what_the_file_takes() {
        assert_eq!((price_of(0), price_of(30_000), price_of(1_000_000)), (Ok(1), Ok(1), Ok(17)));
        assert_eq!(price_of(3_000_000), Ok(49));
        assert!(price_of(u64::MAX).is_err());
    }
}
