//! The names that ask, each counted on the account of the user who looked it up.
//!
//! The kernel holds a name from its lookup until nobody has it open any more, so a user with
//! many descriptors that are no open tables (O_PATH) holds many names.

use super::{Account, AccountId, Accounts, Charge, Quota};
use crate::error::{Failure, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Names that an account may hold for each handle that it may have open. One name is held by
/// each open table. The rest is for descriptors with O_PATH, and for names that the kernel has
/// forgotten without having told so yet.
const NAMES_FOR_A_HANDLE: u64 = 4;

/// A name on the account of the user who looked it up, given back when dropped.
#[derive(Debug)]
pub(crate) struct NameCharge {
    account: Arc<Account>,
    _bytes: Charge,
}

impl Accounts {
    /// Charges an account for one more name, which takes this many bytes. Nothing limits the
    /// number of names of the host's root, but their bytes count for root, too.
    ///
    /// # Errors
    /// [`Failure::TooManyNames`] and [`Failure::TooMuchKept`] past the account's quota.
    pub(crate) fn charge_name(
        &self,
        id: AccountId,
        quota: Quota,
        bytes: usize,
    ) -> Result<NameCharge> {
        let account = self.account(id, quota);
        let most = match id.is_host_root() {
            true => u64::MAX,
            false => quota.handles.saturating_mul(NAMES_FOR_A_HANDLE),
        };
        let taken = (account.names).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |names| {
            (names < most).then_some(names + 1)
        });
        if taken.is_err() {
            return Err(Failure::TooManyNames(most));
        }
        match account.charge(bytes) {
            Some(bytes) => Ok(NameCharge {
                account,
                _bytes: bytes,
            }),
            None => {
                account.names.fetch_sub(1, Ordering::Relaxed);
                Err(Failure::TooMuchKept)
            }
        }
    }
}

impl Drop for NameCharge {
    fn drop(&mut self) {
        self.account.names.fetch_sub(1, Ordering::Relaxed);
    }
}
