//! What the arguments of a call point to, laid out in the actor's slot.

use crate::sys::{DATA, DATA_LEN, Mailbox};

/// The room of one slot, filled from the front.
pub(super) struct Arguments<'a> {
    mailbox: &'a Mailbox,
    slot: usize,
    used: usize,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(mailbox: &'a Mailbox, slot: usize) -> Self {
        Self { mailbox, slot, used: 0 }
    }

    /// These bytes. Returns their address.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> u64 {
        let at = self.used.next_multiple_of(8);
        // Longer than any room: the kernel would look no further either.
        let bytes = &bytes[..bytes.len().min(DATA_LEN - at)];
        self.used = at + bytes.len();
        self.mailbox.put(self.slot, at, bytes)
    }

    /// A string with its end.
    pub(super) fn string(&mut self, text: &str) -> u64 {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(&bytes)
    }

    pub(super) fn u64s(&mut self, words: &[u64]) -> u64 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.bytes(&bytes)
    }

    pub(super) fn u32s(&mut self, words: &[u32]) -> u64 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.bytes(&bytes)
    }

    /// Room to be written to.
    pub(super) fn room(&mut self, len: usize) -> u64 {
        self.bytes(&vec![0; len])
    }

    /// What stands at an address that one of the above returned.
    pub(super) fn read(&self, address: u64, len: usize) -> Vec<u8> {
        let start = self.mailbox.slot(self.slot) + DATA;
        self.mailbox.get(self.slot, usize::try_from(address - start).unwrap_or(usize::MAX), len)
    }

    pub(super) fn read_u32(&self, address: u64) -> u32 {
        let bytes = self.read(address, 4);
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    pub(super) fn read_u64(&self, address: u64) -> u64 {
        u64::from(self.read_u32(address)) | u64::from(self.read_u32(address + 4)) << 32
    }
}
