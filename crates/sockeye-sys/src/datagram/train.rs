//! Datagrams that cross the kernel as one: segmented where they leave (UDP_SEGMENT), joined where they come (UDP_GRO).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU16, Ordering};

use super::{Arrival, Control, Departure, ask, name_source, put, set};

/// The most bytes of one train: what a packet of IPv4 holds.
const MOST: usize = 65_507;
/// The most datagrams of one train (`UDP_MAX_SEGMENTS`, which is 64 in older kernels).
const CARS: usize = 64;

/// Has the kernel hand over as one what came in a row from one sender, as long as each other (UDP_GRO, since Linux 5.0).
/// From here on it counts a train that it drops as one ([`super::tell_drops`]), and a buffer of less than 64 KiB may be too
/// short for one.
///
/// # Errors
/// What setsockopt(2) said.
pub fn hear_trains(socket: &impl AsFd) -> io::Result<()> {
    set(socket, libc::SOL_UDP, libc::UDP_GRO, 1)
}

impl Arrival {
    /// Each datagram of what came, and where in the buffer it begins.
    pub fn datagrams(self) -> impl Iterator<Item = (usize, Self)> {
        let longest = self.segment.filter(|segment| *segment > 0).unwrap_or(self.length).max(1);
        let last = self.length.saturating_sub(1) / longest * longest;
        (0..=last).step_by(longest).map(move |start| {
            let length = (self.length - start).min(longest);
            (start, Self { length, segment: None, is_cut: self.is_cut && start == last, ..self })
        })
    }
}

/// How long the datagrams may be that one socket sends in a train: what its kernel, or the way to a peer, has refused
/// once is not tried again.
#[derive(Debug)]
pub struct Trains(AtomicU16);

impl Trains {
    /// What a socket can do: nothing where it is not one of UDP, or the kernel is older than Linux 4.18.
    pub fn of(socket: &impl AsFd) -> Self {
        let asked = ask::<1>(socket, libc::SOL_UDP, libc::UDP_SEGMENT);
        Self(AtomicU16::new(if asked.is_ok() { u16::MAX } else { 0 }))
    }

    /// Sends each datagram alone.
    pub const fn none() -> Self {
        Self(AtomicU16::new(0))
    }

    pub(super) fn longest(&self) -> usize {
        self.0.load(Ordering::Relaxed).into()
    }

    /// Remembers that a train of datagrams of this length was refused; `false` where the error says nothing of trains.
    pub(super) fn refuse(&self, segment: u16, error: &io::Error) -> bool {
        let longest = match error.raw_os_error() {
            // Longer than what the way carries in one packet: alone such a datagram is cut into fragments.
            Some(libc::EMSGSIZE | libc::EINVAL) => segment - 1,
            // The way cannot do it at all.
            Some(libc::EIO | libc::EOPNOTSUPP) => 0,
            _ => return false,
        };
        self.0.fetch_min(longest, Ordering::Relaxed);
        true
    }
}

/// A train that is being put together. All its datagrams are equally long, though the last might be shorter: a router in
/// software drops a train whole where one of them is too long for a link (`skb_gso_validate_network_len`), and then each
/// of them is.
pub(super) struct Train<'a, 'b> {
    first: Departure<'a>,
    header: &'b mut libc::msghdr,
    control: &'b mut MaybeUninit<Control>,
}

impl<'a, 'b> Train<'a, 'b> {
    /// One datagram, and its header, which gets its address. What is added to the train stands behind its piece.
    pub(super) fn new(
        first: Departure<'a>,
        header: &'b mut libc::msghdr,
        name: &'b mut MaybeUninit<libc::sockaddr_storage>,
        control: &'b mut MaybeUninit<Control>,
    ) -> Self {
        let length = first.to.write(name);
        if length > 0 {
            (header.msg_name, header.msg_namelen) = (name.as_mut_ptr().cast(), length);
        }
        if let Some(source) = first.source {
            name_source(header, control.write(Control([0; 128])), source, first.to);
        }
        Self { first, header, control }
    }

    /// Adds a datagram, if it can go with the others.
    pub(super) fn takes(&mut self, next: &Departure<'_>, longest: usize) -> bool {
        let (first, count) = (&self.first, self.header.msg_iovlen);
        let length = first.payload.len();
        let fits = length > 0 && length <= longest && length * (count + 1) <= MOST && count < CARS;
        if !fits || next.payload.len() != length || next.to != first.to || next.source != first.source {
            return false;
        }
        if count == 1 {
            let Ok(segment) = u16::try_from(length) else { return false };
            let control = match first.source {
                // SAFETY: naming the source has written it.
                Some(_) => unsafe { self.control.assume_init_mut() },
                None => self.control.write(Control([0; 128])),
            };
            put(self.header, control, libc::SOL_UDP, libc::UDP_SEGMENT, segment);
        }
        self.header.msg_iovlen += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::super::{Name, receive_all, send_all};
    use super::*;

    fn pair() -> (UdpSocket, UdpSocket) {
        let (here, there) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        there.connect(here.local_addr().unwrap()).unwrap();
        (here, there)
    }

    /// Sends, and says how many buffers what came has filled, and all the datagrams in them.
    fn exchange(
        here: &UdpSocket,
        there: &UdpSocket,
        sent: &[Vec<u8>],
        trains: &Trains,
    ) -> (usize, Vec<Vec<u8>>) {
        let departures = sent.iter().map(|payload| Departure { payload, to: Name::Unnamed, source: None });
        assert_eq!(send_all(there, departures, trains).unwrap(), sent.len());
        let (mut room, mut arrivals) = (vec![0; 64 << 16], Vec::new());
        let filled = receive_all(here, room.chunks_mut(1 << 16), |arrival| arrivals.push(arrival)).unwrap();
        let places = room.chunks(1 << 16);
        let came = arrivals.iter().zip(places).flat_map(|(arrival, place)| {
            arrival.datagrams().map(|(start, one)| place[start..start + one.length].to_vec())
        });
        (filled, came.collect())
    }

    fn several() -> Vec<Vec<u8>> {
        let lengths = [100, 100, 100, 37, 100, 100, 0, 0, 5, 9, 1200, 1200, 1199];
        lengths.iter().zip(0..).map(|(length, fill)| vec![fill; *length]).collect()
    }

    #[test]
    fn what_goes_as_a_train_comes_as_it_was_whether_it_is_joined_or_not() {
        let (here, there) = pair();
        let (alone, came) = exchange(&here, &there, &several(), &Trains::of(&there));
        assert_eq!((alone, came), (13, several()));
        hear_trains(&here).unwrap();
        let (joined, came) = exchange(&here, &there, &several(), &Trains::of(&there));
        assert_eq!((joined, came), (9, several()));
        let (alone, came) = exchange(&here, &there, &several(), &Trains::none());
        assert_eq!((alone, came), (13, several()));
    }

    #[test]
    fn a_train_has_at_most_as_many_and_as_much_as_the_kernel_takes() {
        for (count, length) in [(64, 1), (64, 1400), (3, 32_000)] {
            let (here, there) = pair();
            hear_trains(&here).unwrap();
            let sent = vec![vec![7; length]; count];
            let (joined, came) = exchange(&here, &there, &sent, &Trains::of(&there));
            assert_eq!((joined, came), ((count * length).div_ceil(MOST), sent));
        }
    }

    /// Without checksums the kernel refuses to cut one apart (`udp_send_skb`).
    #[test]
    fn a_train_that_is_refused_goes_one_by_one_and_is_not_tried_again() {
        let (here, there) = pair();
        hear_trains(&here).unwrap();
        set(&there, libc::SOL_SOCKET, libc::SO_NO_CHECK, 1).unwrap();
        let trains = Trains::of(&there);
        let sent = vec![vec![7; 900]; 3];
        assert_eq!(exchange(&here, &there, &sent, &trains), (3, sent));
        assert_eq!(trains.longest(), 899);
    }

    #[test]
    fn a_unix_socket_sends_no_trains() {
        let (socket, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
        assert_eq!(Trains::of(&socket).longest(), 0);
    }
}
