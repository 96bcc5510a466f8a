//! A device of a person: one login, and what it remembers of the home space from one command to the next.

use super::{Drawing, MemoryTransport, PASSWORD, Person, address, patient};
use nightdrop_client::{
    ClientError,
    account::{self, Session},
    space::HomeSpace,
};
use nightdrop_envelope::space::Operation;
use nightdrop_login::password::Password;
use nightdrop_wire::denomination::{Assortment, Denomination};

/// A device that is logged in. Each function is what one command of the client does.
#[derive(Debug)]
pub struct Device {
    transport: MemoryTransport,
    session: Session<MemoryTransport>,
    memory: Option<Vec<u8>>,
}

impl Device {
    /// The device where the account was made, which knows that there were no files then.
    pub async fn first(person: &Person) -> Self {
        Self { memory: Some(person.memory.clone()), ..Self::another(person).await }
    }

    /// A device that remembers nothing yet.
    pub async fn another(person: &Person) -> Self {
        let password = Password::new(PASSWORD);
        let session = account::log_in(&person.transport, &person.code, &password, &patient()).await.unwrap();
        Self { transport: person.transport.clone(), session, memory: None }
    }

    /// Reads the home space, and remembers where it stands.
    ///
    /// # Errors
    /// As [`Session::open_memory`] and [`HomeSpace::open`]; then it remembers what it remembered before.
    pub async fn open(&mut self) -> Result<HomeSpace<MemoryTransport>, ClientError> {
        let memory = self.session.open_memory(self.memory.as_deref())?;
        let keys = self.session.keyring().home_keys();
        let home = HomeSpace::open(&self.transport, &address(), keys, memory.home_head, &patient()).await?;
        self.remember(&home)?;
        Ok(home)
    }

    /// Makes the home space.
    ///
    /// # Errors
    /// As [`Self::open`] and [`HomeSpace::create`].
    pub async fn create(&mut self) -> Result<(), ClientError> {
        let mut home = self.open().await?;
        let credit = self.session.fetch_credits(Assortment::only(Denomination::Smallest, 1)).await?;
        let outcome = home.create(credit.into()).await;
        self.remember(&home)?;
        outcome
    }

    /// Appends these operations, and remembers how far that went.
    ///
    /// # Errors
    /// As [`Self::open`] and [`HomeSpace::append`].
    pub async fn append(&mut self, operations: Vec<Operation>) -> Result<(), ClientError> {
        let mut home = self.open().await?;
        let outcome = home.append(&Drawing::of(&mut self.session), |_state| Ok(operations.clone())).await;
        self.remember(&home)?;
        outcome
    }

    fn remember(&mut self, home: &HomeSpace<MemoryTransport>) -> Result<(), ClientError> {
        let kept = self.session.open_memory(self.memory.as_deref())?;
        self.memory = Some(self.session.seal_memory(kept, home.head())?);
        Ok(())
    }
}
