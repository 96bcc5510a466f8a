//! Credits for more of what is on its way already: the task that moves it asks, and the command that has the account pays.

use crate::{ClientError, payment::Payment};
use tokio::sync::{mpsc, oneshot};

/// Asks for payments. Clones ask the same command.
#[derive(Debug, Clone)]
pub struct Funds(mpsc::Sender<Asked>);

#[derive(Debug)]
struct Asked {
    price: u32,
    answer: oneshot::Sender<Result<Payment, ClientError>>,
}

impl Funds {
    /// A payment of this price.
    ///
    /// # Errors
    /// Why there is none; [`ClientError::NoCredits`] if nobody pays any more.
    pub(super) async fn pay(&self, price: u32) -> Result<Payment, ClientError> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Asked { price, answer }).await.map_err(|_| ClientError::NoCredits)?;
        answered.await.map_err(|_| ClientError::NoCredits)?
    }
}

/// Does the work, and pays what it asks for meanwhile.
pub async fn with_funds<R>(
    work: impl AsyncFnOnce(Funds) -> R,
    pay: impl AsyncFn(u32) -> Result<Payment, ClientError>,
) -> R {
    let (ask, mut asked) = mpsc::channel(1);
    let mut work = std::pin::pin!(work(Funds(ask)));
    loop {
        let asked = tokio::select! {
            done = &mut work => return done,
            Some(asked) = asked.recv() => asked,
        };
        // Whoever no longer waits leaves it unspent.
        let _ = asked.answer.send(pay(asked.price).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_asked_for_is_paid_until_the_work_is_done() {
        let work = async |funds: Funds| {
            let paid = tokio::spawn(async move { funds.pay(3).await.map(|payment| payment.units()) });
            paid.await.unwrap()
        };
        let pay = |price| async move {
            if price == 3 { Ok(Payment::default()) } else { Err(ClientError::NoCredits) }
        };
        assert_eq!(with_funds(work, pay).await.unwrap(), 0);
        let kept = with_funds(async |funds| funds, pay).await;
        assert!(matches!(kept.pay(3).await, Err(ClientError::NoCredits)), "nobody pays any more");
    }
}
