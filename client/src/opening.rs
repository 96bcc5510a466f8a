//! Where a device begins to read the home space: at its copy, at a checkpoint, or at the first entry.

use crate::{
    ClientError, Home,
    account::Session,
    blocking::blocking,
    checkpoint::{self, Beginning},
    limits::ClientLimits,
    local_copy::LocalCopy,
    relay::RelayLane,
    space::HomeSpace,
    transport::Transport,
};
use nightdrop_envelope::{device_memory::DeviceMemory, space::Replay};
use nightdrop_wire::{limits::MAX_ENTRIES, messages::log::LogHead, onion::OnionAddress};

/// What a device found on its own disk.
pub(crate) struct Found {
    /// What it remembers, and what the keyring says beside that.
    pub(crate) memory: DeviceMemory,
    /// What it wrote down itself, if that is more than the keyring says.
    own: Option<LogHead>,
    replay: Replay,
    pub(crate) copy: LocalCopy,
}

impl Found {
    /// Looks for it.
    ///
    /// # Errors
    /// As [`Session::open_memory`]; [`ClientError::File`].
    pub(crate) async fn on_disk<T: Transport>(
        home: &Home,
        session: &Session<T>,
    ) -> Result<Self, ClientError> {
        let sealed = home.memory()?;
        let memory = session.open_memory(sealed.as_deref())?;
        let known = session.keyring().home_head();
        let own = sealed.and(memory.home_head).filter(|head| Some(*head) != known);
        let (keys, home) = (session.keyring().home_keys(), home.clone());
        let read = move || LocalCopy::read(&home, keys, memory.home_head);
        let (replay, copy) = blocking(read).await?;
        Ok(Self { memory, own, replay, copy })
    }

    /// Reads what follows; says, too, whether the relay withholds a checkpoint.
    ///
    /// # Errors
    /// As [`HomeSpace::open`].
    pub(crate) async fn read_on<T: Transport>(
        self,
        way: (&T, &OnionAddress, &ClientLimits),
    ) -> Result<(HomeSpace<T>, LocalCopy, bool), ClientError> {
        let (transport, relay, limits) = way;
        let mut lane = RelayLane::isolated(transport, relay, limits);
        let is_worth_it = self.own.is_none_or(|own| own.count > MAX_ENTRIES as u64);
        let beginning = if self.replay.head().count == 0 && is_worth_it {
            checkpoint::find(&mut lane, way, &self.replay, self.own).await?
        } else {
            Beginning::First
        };
        let withheld = matches!(beginning, Beginning::Withheld);
        let replay = match beginning {
            Beginning::Checkpoint(replay) => *replay,
            Beginning::First | Beginning::Withheld => self.replay,
        };
        Ok((HomeSpace::open_from(lane, replay).await?, self.copy, withheld))
    }
}
