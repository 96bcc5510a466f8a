//! Lies inside a control body: decoded, changed, encoded again. The form stays right, so that only what it says can be
//! what is refused.

use crate::lying::{Answer, Asked, Lie};
use nightdrop_wire::codec;
use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;

/// Changes a message of type `M` in every successful answer.
pub struct Alter<M, F> {
    change: F,
    message: PhantomData<fn() -> M>,
}

impl<M, F: Fn(&Asked, &mut M)> Alter<M, F> {
    /// Changes it so.
    pub const fn by(change: F) -> Self {
        Self { change, message: PhantomData }
    }
}

impl<M, F> Lie for Alter<M, F>
where
    M: Serialize + DeserializeOwned + 'static,
    F: Fn(&Asked, &mut M) + Send + Sync + 'static,
{
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        if !honest.is_success() {
            return honest;
        }
        let mut message = codec::decode(&honest.body).unwrap();
        (self.change)(asked, &mut message);
        Answer { body: codec::encode(&message).unwrap(), ..honest }
    }
}

impl<M, F> std::fmt::Debug for Alter<M, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Alter")
    }
}
