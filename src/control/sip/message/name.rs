//! Header names: long and compact forms, any letter case.

macro_rules! names {
    ($($name:ident = $text:literal $(, $compact:literal)?;)*) => {
        /// A header the endpoint knows; every other one is kept as it came.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[allow(missing_docs)] // each is the header of that name
        pub enum Name { $($name,)* Other }

        const KNOWN: &[(Name, &str)] = &[$((Name::$name, $text),)*];

        impl Name {
            fn compact(letter: u8) -> Name {
                $($(if letter == $compact { return Name::$name; })?)*
                Name::Other
            }
        }
    };
}

names! {
    Via = "Via", b'v';
    From = "From", b'f';
    To = "To", b't';
    CallId = "Call-ID", b'i';
    CSeq = "CSeq";
    Contact = "Contact", b'm';
    ContentLength = "Content-Length", b'l';
    ContentType = "Content-Type", b'c';
    ContentEncoding = "Content-Encoding", b'e';
    ContentDisposition = "Content-Disposition";
    MaxForwards = "Max-Forwards";
    Route = "Route";
    RecordRoute = "Record-Route";
    Path = "Path";
    Allow = "Allow";
    Supported = "Supported", b'k';
    Require = "Require";
    ProxyRequire = "Proxy-Require";
    Unsupported = "Unsupported";
    Accept = "Accept";
    Expires = "Expires";
    MinExpires = "Min-Expires";
    SessionExpires = "Session-Expires", b'x';
    MinSe = "Min-SE";
    Authorization = "Authorization";
    ProxyAuthorization = "Proxy-Authorization";
    WwwAuthenticate = "WWW-Authenticate";
    ProxyAuthenticate = "Proxy-Authenticate";
    UserAgent = "User-Agent";
    Server = "Server";
    ReferTo = "Refer-To", b'r';
    ReferredBy = "Referred-By", b'b';
    Replaces = "Replaces";
    Event = "Event", b'o';
    SubscriptionState = "Subscription-State";
    Subject = "Subject", b's';
    RetryAfter = "Retry-After";
    RSeq = "RSeq";
    RAck = "RAck";
    Reason = "Reason";
    PAssertedIdentity = "P-Asserted-Identity";
}

impl Name {
    /// The header of this name as it stands in a message.
    #[must_use]
    pub fn of(text: &[u8]) -> Name {
        if let [letter] = text {
            return Name::compact(letter.to_ascii_lowercase());
        }
        let same = |known: &&(Name, &str)| known.1.len() == text.len() && known.1.as_bytes().eq_ignore_ascii_case(text);
        KNOWN.iter().find(same).map_or(Name::Other, |(name, _)| *name)
    }

    /// The long form.
    #[must_use]
    pub fn text(self) -> &'static str {
        KNOWN.iter().find(|(name, _)| *name == self).map_or("", |(_, text)| *text)
    }

    /// May a message carry it only once?
    #[must_use]
    pub fn is_single(self) -> bool {
        use Name::{CSeq, CallId, ContentLength, ContentType, Expires, From, MaxForwards, To};
        matches!(self, From | To | CallId | CSeq | ContentLength | ContentType | Expires | MaxForwards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_compact_forms_in_any_case_are_the_same_header() {
        assert_eq!(Name::of(b"v"), Name::Via);
        assert_eq!(Name::of(b"VIA"), Name::Via);
        assert_eq!(Name::of(b"cALL-id"), Name::CallId);
        assert_eq!(Name::of(b"L"), Name::ContentLength);
        assert_eq!(Name::of(b"X-Other"), Name::Other);
        assert_eq!(Name::of(b"z"), Name::Other);
    }
}
