//! The sound as a whole: rooms in virtual time, real sockets, and what a tick allocates.

mod counting;
mod hearing;
mod networks;
mod recordings;
mod rooms;
mod sockets;
mod stage;
