//! `Hotline-Signature: t=<seconds>,v1=<HMAC-SHA256 of "t.body", hex>`: what adapters and we sign our posts to each other with.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::control::time::Time;

/// The header's name.
pub const HEADER: &str = "hotline-signature";
/// A post is good for this long after it was signed, and so far may clocks differ.
pub const FRESH: Duration = Duration::from_secs(5 * 60);

/// Why a signature is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Bad {
    /// It has another form.
    #[error("Hotline-Signature is t=<seconds>,v1=<HMAC-SHA256 of \"t.body\" in hex>")]
    Form,
    /// It was made at another time.
    #[error("Hotline-Signature was made more than {} s before or after now: set the clock, and sign each try anew", FRESH.as_secs())]
    Stale,
    /// It was made with another secret, or of another body.
    #[error("Hotline-Signature does not fit the body: sign \"t.body\" exactly as sent, with the channel's secret")]
    Wrong,
}

/// Signs a body.
#[must_use]
pub fn sign(secret: &[u8], at: Time, body: &[u8]) -> String {
    let seconds = at.millis() / 1_000;
    format!("t={seconds},v1={}", hex::encode(mac(secret, seconds, body).finalize().into_bytes()))
}

/// Checks the signature of a body; takes the same time wherever it differs.
///
/// # Errors
/// [`Bad`].
pub fn verify(secret: &[u8], header: &str, body: &[u8], now: Time) -> Result<(), Bad> {
    let (time, sum) = header.split_once(',').ok_or(Bad::Form)?;
    let seconds: u64 = time.trim().strip_prefix("t=").and_then(|time| time.parse().ok()).ok_or(Bad::Form)?;
    let sum = sum.trim().strip_prefix("v1=").and_then(|sum| hex::decode(sum).ok()).ok_or(Bad::Form)?;
    mac(secret, seconds, body).verify_slice(&sum).map_err(|_| Bad::Wrong)?;
    if seconds.abs_diff(now.millis() / 1_000) > FRESH.as_secs() { Err(Bad::Stale) } else { Ok(()) }
}

fn mac(secret: &[u8], seconds: u64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_body_with_the_same_secret_at_about_the_same_time_is_taken() {
        let (now, late) = (Time(1_000_000_000), Time(1_000_000_000) + FRESH + Duration::from_secs(1));
        let header = sign(b"secret", now, b"{}");
        assert!(header.starts_with("t=1000,v1="));
        assert_eq!(verify(b"secret", &header, b"{}", now), Ok(()));
        assert_eq!(verify(b"secret", &header, b"[]", now), Err(Bad::Wrong));
        assert_eq!(verify(b"other", &header, b"{}", now), Err(Bad::Wrong));
        assert_eq!(verify(b"secret", &header.replace("t=1000", "t=1001"), b"{}", now), Err(Bad::Wrong));
        assert_eq!(verify(b"secret", &header, b"{}", late), Err(Bad::Stale));
        for form in ["", "v1=00", "t=x,v1=00", "t=1,v1=zz", "t=1"] {
            assert_eq!(verify(b"secret", form, b"{}", now), Err(Bad::Form), "{form}");
        }
    }
}
