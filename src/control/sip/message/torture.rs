//! The torture messages of RFC 4475 §3.1, valid and invalid, as a table.

use bytes::Bytes;

use super::{Address, Frame, Message, Method, Name, Scheme, Uri, frame, text};

/// Lines joined as on the wire; the last piece is the body.
fn message(lines: &[&str]) -> Bytes {
    Bytes::from(lines.join("\r\n"))
}

fn read(lines: &[&str]) -> Message {
    let bytes = message(lines);
    let read = Message::parse(bytes.clone()).unwrap_or_else(|why| panic!("{why}: {lines:?}"));
    assert_eq!(read.print(), bytes);
    read
}

fn fault(lines: &[&str]) -> String {
    let why = Message::parse(message(lines)).expect_err("it is invalid");
    format!("{} {}", why.status, why.why)
}

#[test]
fn wsinv_a_short_tortuous_invite() {
    let wsinv = read(&[
        "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0",
        "TO :",
        " sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n",
        "from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>",
        "  ;",
        "  tag = 98asjd8",
        "MaX-fOrWaRdS: 0068",
        "Call-ID: wsinv.ndaksdj@192.0.2.1",
        "Content-Length   : 3",
        "cseq: 0009",
        "  INVITE",
        "Via  : SIP  /   2.0",
        " /UDP",
        "    192.0.2.2;rport;branch=390skdjuw",
        "s :",
        "NewFangledHeader:   newfangled value",
        " continued newfangled value",
        "UnknownHeaderWithUnusualValue: ;;,,;;,;",
        "Content-Type: application/sdp",
        "Route:",
        " <sip:services.example.com;lr;unknownwith=value;unknown-no-value>",
        "v:  SIP  / 2.0  / TCP     spindle.example.com   ;",
        "  branch  =   z9hG4bK9ikj8  ,",
        " SIP  /    2.0   / UDP  192.168.255.111   ; branch=",
        " z9hG4bK30239",
        "m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =",
        "      newvalue ;",
        "  secondparam ; q = 0.33",
        "",
        "v=0",
    ]);
    assert_eq!(wsinv.to().unwrap().tag(), Some(&b"1918181833n"[..]));
    assert_eq!(wsinv.from().unwrap().tag(), Some(&b"98asjd8"[..]));
    assert_eq!(wsinv.from().unwrap().name().as_deref(), Some("J Rosenberg \\\""));
    assert_eq!((wsinv.max_forwards(), wsinv.cseq().unwrap().number), (Some(68), 9));
    assert_eq!(wsinv.values(Name::Via).count(), 3);
    assert_eq!(wsinv.via().unwrap().branch(), Some(&b"390skdjuw"[..]));
    assert_eq!(wsinv.header(Name::Subject), Some(&b""[..]));
    assert_eq!(wsinv.other("newfangledheader").map(text::lossy).as_deref(), Some("newfangled value continued newfangled value"));
    assert_eq!(wsinv.other("UnknownHeaderWithUnusualValue"), Some(&b";;,,;;,;"[..]));
    let contact = wsinv.address(Name::Contact).unwrap();
    assert_eq!(contact.param("newparam"), Some(Some(&b"newvalue"[..])));
    assert_eq!(contact.param("secondparam"), Some(None));
    assert_eq!(contact.param("q"), Some(Some(&b"0.33"[..])));
    assert_eq!(wsinv.body(), b"v=0");
}

#[test]
fn intmeth_a_wide_range_of_valid_characters() {
    let intmeth = read(&[
        "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0",
        "Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~",
        "To: \"BEL:\\\u{7} NUL:\\\0 DEL:\\\u{7f}\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>",
        "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.",
        "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
        "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~",
        "Max-Forwards: 255",
        "extensionHeader-!.%*+_`'~:\u{feff}大停電",
        "Content-Length: 0",
        "",
        "",
    ]);
    assert_eq!(intmeth.method(), Method::Other);
    assert_eq!(intmeth.from().unwrap().name().as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(intmeth.via().unwrap().branch(), Some(&b"z9hG4bK-.!%66*_+`'~"[..]));
    assert_eq!(intmeth.other("extensionHeader-!.%*+_`'~"), Some("\u{feff}大停電".as_bytes()));
}

const TAIL: [&str; 5] = ["Call-ID: x@192.0.2.1", "Max-Forwards: 70", "Content-Length: 0", "", ""];

fn small(start: &str, headers: &[&str]) -> Vec<String> {
    let method = start.split(' ').next().unwrap_or_default();
    let mut lines = vec![start.to_owned()];
    lines.extend(headers.iter().map(|line| (*line).to_owned()));
    for (name, usual) in [
        ("Via", "Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bKkdjuw"),
        ("From", "From: <sip:a@example.com>;tag=9"),
        ("To", "To: <sip:b@example.com>"),
    ] {
        if !headers.iter().any(|line| line.to_ascii_lowercase().starts_with(&name.to_ascii_lowercase())) {
            lines.push(usual.to_owned());
        }
    }
    if !headers.iter().any(|line| line.starts_with("CSeq")) {
        lines.push(format!("CSeq: 1 {method}"));
    }
    lines.extend(TAIL.iter().map(|line| (*line).to_owned()));
    lines
}

fn valid(start: &str, headers: &[&str]) -> Message {
    read(&small(start, headers).iter().map(String::as_str).collect::<Vec<_>>())
}

fn invalid(start: &str, headers: &[&str]) -> String {
    fault(&small(start, headers).iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn esc01_esc02_escnull_escapes_in_uris_and_methods() {
    let esc01 = valid("INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0", &["To: sip:%75se%72@example.com"]);
    assert_eq!(Uri::parse(esc01.request_uri()).unwrap().user_text(), "sips:user@example.com");
    assert_eq!(esc01.to().unwrap().uri.user_text(), "user");
    let escnull =
        valid("REGISTER sip:example.com SIP/2.0", &["Contact: <sip:%00@host5.example.com>", "Contact: <sip:%00%00@host5.example.com>"]);
    assert_eq!(escnull.values(Name::Contact).count(), 2);
    let esc02 = valid("RE%47IST%45R sip:registrar.example.com SIP/2.0", &["To: \"%Z%45\" <sip:resource@example.com>"]);
    assert_eq!((esc02.method(), esc02.to().unwrap().name().as_deref()), (Method::Other, Some("%Z%45")));
}

#[test]
fn lwsdisp_semiuri_transports_and_a_long_request() {
    let lwsdisp = valid("OPTIONS sip:user@example.com SIP/2.0", &["From: caller<sip:caller@example.com>;tag=323"]);
    assert_eq!(lwsdisp.from().unwrap().name().as_deref(), Some("caller"));
    let semiuri = valid("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", &[]);
    assert_eq!(Uri::parse(semiuri.request_uri()).unwrap().user_text(), "user;par=u@example.net");
    let transports = valid(
        "OPTIONS sip:user@example.com SIP/2.0",
        &[
            "Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw",
            "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf",
            "Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd8f7",
        ],
    );
    assert_eq!(transports.values(Name::Via).map(|value| super::Via::parse(value).unwrap().transport).last(), Some(&b"UNKNOWN"[..]));
    let name = format!(
        "From: \"{}\" <sip:{}@example.net>;tag=1",
        "I have a user name of extremeproportion ".repeat(20),
        "amazinglylongcallername".repeat(40)
    );
    let longreq = valid("INVITE sip:user@example.com SIP/2.0", &[&name, &format!("Unknown-{}Name: x", "Long".repeat(50))]);
    assert!(longreq.from().unwrap().name().unwrap().len() > 700);
}

#[test]
fn dblreq_what_follows_the_content_is_not_the_message() {
    let first = small("REGISTER sip:example.com SIP/2.0", &[]).join("\r\n");
    let both = format!("{first}INVITE sip:joe@example.com SIP/2.0\r\n");
    let dblreq = Message::parse(Bytes::from(both.clone())).unwrap();
    assert_eq!((dblreq.method(), dblreq.body()), (Method::Register, &b""[..]));
    assert_eq!(frame(both.as_bytes()), Frame::Whole(first.len()));
}

#[test]
fn unreason_and_noreason_responses() {
    let cseq = ["CSeq: 35 INVITE"];
    let unreason = valid("SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое", &cseq);
    assert_eq!((unreason.status(), unreason.method()), (200, Method::Invite));
    assert!(text::lossy(unreason.reason()).starts_with("= 2**3"));
    assert_eq!((valid("SIP/2.0 100 ", &cseq).status(), valid("SIP/2.0 100", &cseq).reason()), (100, &b""[..]));
}

#[test]
fn inv2543_a_request_of_the_old_rfc() {
    let old = valid(
        "INVITE sip:UserB@example.com SIP/2.0",
        &["Via: SIP/2.0/UDP iftgw.example.com", "Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>"],
    );
    assert_eq!(old.via().unwrap().branch(), None);
    assert_eq!(Address::parse(old.header(Name::RecordRoute).unwrap()).unwrap().uri.param("lr"), None);
}

#[test]
fn unknown_schemes_are_left_to_the_core() {
    let novelsc = valid("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", &[]);
    assert_eq!(Uri::parse(novelsc.request_uri()).unwrap().scheme, Scheme::Other);
    let unksm2 = valid("REGISTER sip:example.com SIP/2.0", &["To: isbn:2983792873", "From: <http://www.example.com>;tag=3234233"]);
    assert_eq!(unksm2.to().unwrap().uri.scheme, Scheme::Other);
}

#[test]
fn invalid_messages_say_which_header_is_wrong() {
    let invite = "INVITE sip:user@example.com SIP/2.0";
    let table: Vec<(&str, String, &str)> = vec![
        ("badinv01", invalid(invite, &["Via: SIP/2.0/UDP 192.0.2.15;;,;,,"]), "400 Via: a parameter is empty"),
        ("badinv01", invalid(invite, &["Contact: \"Joe\" <sip:joe@example.org>;;;;"]), "400 Contact: a parameter is empty"),
        ("clerr", invalid(invite, &["CSeq: 8 INVITE", "Content-Length: 9999"]), "400 Content-Length header appears twice"),
        ("scalar02", invalid(invite, &["CSeq: 36893488147419103232 INVITE"]), "400 CSeq: the number is not below 2147483648"),
        ("scalar02", invalid(invite, &["Expires: 10000000000000"]), "400 Expires: it is no number from 0 to 4294967295"),
        ("quotbal", invalid(invite, &["To: \"Mr. J. User <sip:j.user@example.com>"]), "400 To: the display name's quote is not closed"),
        ("ltgtruri", invalid("INVITE <sip:user@example.com> SIP/2.0", &[]), "400 Request-URI: the URI has a forbidden character"),
        ("lwsruri", invalid("INVITE sip:user@example.com; lr SIP/2.0", &[]), "400 Request-URI: the URI has a forbidden character"),
        ("lwsstart", invalid("INVITE  sip:user@example.com  SIP/2.0", &[]), "400 Request-URI: the URI has a forbidden character"),
        ("trws", invalid("OPTIONS sip:user@example.com SIP/2.0  ", &[]), "400 the request line is not 'METHOD URI SIP/2.0'"),
        (
            "regbadct",
            invalid(invite, &["Contact: sip:user@example.com?Route=%3Csip:s.example.com%3E"]),
            "400 Contact: a URI with '?' or ',' must stand in '<>'",
        ),
        (
            "baddn",
            invalid(invite, &["From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43"]),
            "400 From: the display name has a character that needs quotes",
        ),
        ("badvers", invalid("OPTIONS sip:t.watson@example.org SIP/7.0", &[]), "505 Version Not Supported"),
        (
            "mismatch01",
            invalid("OPTIONS sip:user@example.com SIP/2.0", &["CSeq: 8 INVITE"]),
            "400 CSeq: its method is not the method of the request",
        ),
        (
            "mismatch02",
            invalid("NEWMETHOD sip:user@example.com SIP/2.0", &["CSeq: 8 INVITE"]),
            "400 CSeq: its method is not the method of the request",
        ),
        (
            "bigcode",
            invalid("SIP/2.0 4294967301 better not break the receiver", &["CSeq: 1 INVITE"]),
            "400 the status is no number from 100 to 699",
        ),
        ("multi01", invalid(invite, &["CSeq: 5 INVITE", "CSeq: 59 INVITE"]), "400 CSeq header appears twice"),
    ];
    for (name, found, expected) in table {
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn badaspec_white_space_within_brackets_is_forgiven() {
    let badaspec = valid("OPTIONS sip:user@example.org SIP/2.0", &["To: \"Watson, Thomas\" < sip:t.watson@example.org >"]);
    assert_eq!(badaspec.to().unwrap().uri.user_text(), "t.watson");
}
