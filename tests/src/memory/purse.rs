//! What pays for a list that grows: nothing, or a session that draws what is asked for.

use nightdrop_client::{
    ClientError,
    account::Session,
    payment::{Payment, Purse},
    transport::Transport,
};
use nightdrop_wire::denomination::{Assortment, Denomination};
use tokio::sync::Mutex;

/// A purse with nothing in it.
#[derive(Debug, Clone, Copy)]
pub struct Empty;

impl Purse for Empty {
    async fn pay(&self, _price: u32) -> Result<Payment, ClientError> {
        Err(ClientError::NoCredits)
    }
}

/// Draws what it is asked for, exactly.
#[derive(Debug)]
pub struct Drawing<'a, T>(Mutex<&'a mut Session<T>>);

impl<'a, T> Drawing<'a, T> {
    /// In this session.
    pub fn of(session: &'a mut Session<T>) -> Self {
        Self(Mutex::new(session))
    }
}

impl<T: Transport> Purse for Drawing<'_, T> {
    async fn pay(&self, price: u32) -> Result<Payment, ClientError> {
        let (mut wanted, mut left) = (Assortment::default(), price);
        for (place, denomination) in wanted.0.iter_mut().zip(Denomination::ALL).rev() {
            *place = u16::try_from(left / denomination.units()).unwrap();
            left %= denomination.units();
        }
        Ok(self.0.lock().await.fetch_credits(wanted).await?.into())
    }
}
