use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::right::{Right, ServerRight};
use super::table::{Row, Shape, Status, rows};
use super::world::{PASSWORD, World, dictionary};
use crate::model::AccountName;
use crate::model::limits::{APPLICATION_PASSWORDS_MAX, TAG_BYTES_MAX};

const TOO_SHORT: &str = "501 new password must have at least 8 characters";

#[test]
fn accounts_are_created_with_a_password_and_settings() {
    let mut world = World::new();
    world.expect(&[
        ("CREATEACCOUNT john {Password=secret12;RealName=\"J. Doe\";}", "200 OK"),
        ("CREATEACCOUNT john@main.example", "520 account with this name already exists"),
        ("CREATEACCOUNT jane@nowhere.example", "512 unknown secondary domain name"),
        ("CREATEACCOUNT \"ja ne\"", "501 name has illegal characters"),
        ("CREATEACCOUNT ann MultiMailbox PATH x external", "200 OK"),
        ("CREATEACCOUNT eve{}", "200 OK"),
        ("GETACCOUNTSETTINGS john", "201 {RealName=\"J. Doe\";}"),
        ("VERIFYACCOUNTPASSWORD john PASSWORD secret12", "200 OK"),
        ("VERIFYACCOUNTPASSWORD john PASSWORD wrong", "515 incorrect password or account name"),
        ("VERIFYACCOUNTPASSWORD ann PASSWORD x", "515 incorrect password or account name"),
        ("VERIFYACCOUNTPASSWORD nobody PASSWORD x", "513 unknown user account"),
        ("LISTACCOUNTS", "201 {ann=macnt;eve=macnt;john=macnt;postmaster=macnt;}"),
        ("GETACCOUNTINFO john", "201 {AccountType=MultiMailbox;Created=#T01-01-1970_00:00:02;}"),
        ("GETACCOUNTINFO john KEY Created", "201 #T01-01-1970_00:00:02"),
        ("GETACCOUNTINFO john (LastLogin)", "201 {}"),
        ("GETACCOUNTINFO john Key LastLogin", "201 \"\""),
        ("DELETEACCOUNT john", "200 OK"),
        ("DELETEACCOUNT john", "513 unknown user account"),
        ("DELETEACCOUNT postmaster", "501 this cannot be done to the postmaster account"),
    ]);
}

#[test]
fn an_account_has_a_type_and_a_place_by_it() {
    let mut world = World::furnished();
    world.expect(&[
        ("CREATEACCOUNT one textmailbox", "200 OK"),
        ("CREATEACCOUNT two AGRADE PATH x {Password=\"blue harbor 42\";}", "200 OK"),
        ("CREATEACCOUNT three Whatever", "501 unknown account type"),
        ("GETACCOUNTINFO one KEY AccountType", "201 TextMailbox"),
        ("GETACCOUNTINFO two KEY AccountType", "201 AGrade"),
        ("GETACCOUNTLOCATION one", "201 one.mbox"),
        ("GETACCOUNTLOCATION two", "201 two.macnt"),
        ("SETACCOUNTTYPE one AGrade", "501 the type of an account with a single mailbox cannot be changed"),
        ("SETACCOUNTTYPE two TextMailbox", "501 account type is none of MultiMailbox AGrade BGrade CGrade"),
        ("SETACCOUNTTYPE two bgrade", "200 OK"),
        ("RENAMEACCOUNT two INTO user2@other.example", "200 OK"),
        ("GETACCOUNTINFO user2@other.example KEY AccountType", "201 BGrade"),
        ("DELETEACCOUNT one", "200 OK"),
        ("CREATEACCOUNT one", "200 OK"),
        ("GETACCOUNTINFO one KEY AccountType", "201 MultiMailbox"),
        ("CREATEDOMAIN shared.example SHARED", "200 OK"),
        ("GETDOMAINLOCATION shared.example", "201 \"SharedDomains/shared.example\""),
        ("GETDOMAINLOCATION alias.example", "201 \"Domains/other.example\""),
        ("GETDOMAINLOCATION", "201 Accounts"),
    ]);
    world.expect_by("admin@other.example", &[("CREATEACCOUNT three TextMailbox", "510 insufficient access rights")]);
}

#[test]
fn an_address_is_the_accounts_by_any_of_its_names() {
    let mut world = World::furnished();
    let foreign = "501 this is no address of the account";
    world.expect(&[
        ("VERIFYACCOUNTIDENTITY user@other.example FOR user@other.example", "200 OK"),
        ("VERIFYACCOUNTIDENTITY user@other.example FOR \"\\\"A <x>\\\" <Alias@Alias.example>\"", "200 OK"),
        ("VERIFYACCOUNTIDENTITY user@other.example FOR \"A User <user@main.example>\"", foreign),
        ("VERIFYACCOUNTIDENTITY user@other.example FOR user", foreign),
        ("VERIFYACCOUNTIDENTITY user@other.example FOR \"<>\"", foreign),
    ]);
}

#[test]
fn statistics_count_from_when_they_were_reset() {
    let mut world = World::furnished();
    world.expect(&[
        ("GETACCOUNTSTAT user@other.example", "201 {PasswordChanges=#0;StatReset=#T01-01-1970_00:00:02;}"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"another one\"", "200 OK"),
        ("GETACCOUNTSTAT user@other.example KEY PasswordChanges", "201 #1"),
        ("GETACCOUNTSTAT user@other.example KEY MessagesReceived", "201 \"\""),
        ("RESETACCOUNTSTAT user@other.example KEY MessagesReceived", "200 OK"),
        ("GETACCOUNTSTAT user@other.example", "201 {PasswordChanges=#1;StatReset=#T01-01-1970_00:00:02;}"),
        ("RESETACCOUNTSTAT user@other.example KEY PasswordChanges", "200 OK"),
        ("GETACCOUNTSTAT user@other.example", "201 {PasswordChanges=#0;StatReset=#T01-01-1970_00:00:02;}"),
        ("RESETACCOUNTSTAT user@other.example", "200 OK"),
        ("GETACCOUNTSTAT user@other.example", "201 {PasswordChanges=#0;StatReset=#T09-09-2001_01:46:40;}"),
        ("GETDOMAINSTAT other.example", "201 {Accounts=2;Aliases=1;Forwarders=0;}"),
        ("GETDOMAINSTAT other.example KEY Accounts", "201 2"),
        ("GETDOMAINSTAT other.example KEY MessagesSent", "201 \"\""),
        ("RESETDOMAINSTAT other.example KEY Accounts", "200 OK"),
        ("GETDOMAINSTAT other.example KEY StatReset", "201 \"\""),
        ("RESETDOMAINSTAT other.example", "200 OK"),
        ("GETDOMAINSTAT other.example KEY StatReset", "201 #T09-09-2001_01:46:40"),
    ]);
}

#[test]
fn a_domain_gives_its_new_accounts_what_its_template_has() {
    let mut world = World::furnished();
    world.expect(&[
        ("SETACCOUNTTEMPLATE other.example {ServiceClass=gold;Quota=5M;}", "200 OK"),
        ("UPDATEACCOUNTTEMPLATE other.example {Quota=default;Colour=red;}", "200 OK"),
        ("GETACCOUNTTEMPLATE other.example", "201 {Colour=red;ServiceClass=gold;}"),
        ("CREATEACCOUNT new@other.example {Colour=default;Size=1;}", "200 OK"),
        ("GETACCOUNTSETTINGS new@other.example", "201 {ServiceClass=gold;Size=1;}"),
    ]);
}

#[test]
fn settings_in_force_are_found_from_the_account_outwards() {
    let mut world = World::furnished();
    world.expect(&[
        ("SETSERVERACCOUNTDEFAULTS {a=server;b=server;c=server;ServiceClasses={gold={a=class;b=class;};};}", "200 OK"),
        ("SETACCOUNTDEFAULTS other.example {a=domain;}", "200 OK"),
        ("UPDATEACCOUNTSETTINGS user@other.example {ServiceClass=gold;RealName=default;}", "200 OK"),
        ("GETACCOUNTONESETTING user@other.example a", "201 class"),
        ("UPDATEACCOUNTSETTINGS user@other.example {a=own;}", "200 OK"),
        ("GETACCOUNTONESETTING user@other.example a", "201 own"),
        ("GETACCOUNTONESETTING user@other.example b", "201 class"),
        ("GETACCOUNTONESETTING user@other.example c", "201 server"),
        ("GETACCOUNTONESETTING user@other.example d", "201 #NULL#"),
        ("GETACCOUNTONESETTING admin@other.example a", "201 domain"),
        ("GETACCOUNTSETTINGS user@other.example", "201 {a=own;ServiceClass=gold;}"),
        ("SETACCOUNTSETTINGS user@other.example {x=(1,2);}", "200 OK"),
        ("GETACCOUNTSETTINGS user@other.example", "201 {x=(1,2);}"),
        ("UPDATEDOMAINDEFAULTS {AccountsLimit=5;x=1;}", "200 OK"),
        ("SETDOMAINSETTINGS other.example {x=2;}", "200 OK"),
        ("GETDOMAINSETTINGS other.example", "201 {x=2;}"),
        ("GETDOMAINEFFECTIVESETTINGS alias.example", "201 {AccountsLimit=5;DomainAccessModes=All;x=2;}"),
    ]);
    let effective = dictionary(&world.master("GETACCOUNTEFFECTIVESETTINGS user@other.example"));
    assert_eq!(effective.get("PWDAllowed").and_then(|value| value.as_str()), Some("YES"));
}

#[test]
fn shared_domains_inherit_what_is_set_for_the_cluster_and_others_what_is_set_for_the_server() {
    let mut world = World::furnished();
    world.expect(&[
        ("CREATEDOMAIN shared.example SHARED {y=own;}", "200 OK"),
        ("CREATESHAREDDOMAIN second.example", "200 OK"),
        ("CREATEACCOUNT user@shared.example {Password=\"blue harbor 42\";}", "200 OK"),
        ("GETCLUSTERDOMAINDEFAULTS", "201 {}"),
        ("SETCLUSTERDOMAINDEFAULTS {x=cluster;z=1;}", "200 OK"),
        ("UPDATECLUSTERDOMAINDEFAULTS {z=Default;y=cluster;}", "200 OK"),
        ("GETCLUSTERDOMAINDEFAULTS", "201 {x=cluster;y=cluster;}"),
        ("SETDOMAINDEFAULTS {x=server;}", "200 OK"),
        ("GETDOMAINEFFECTIVESETTINGS shared.example", "201 {DomainAccessModes=All;x=cluster;y=own;}"),
        ("GETDOMAINEFFECTIVESETTINGS second.example", "201 {DomainAccessModes=All;x=cluster;y=cluster;}"),
        ("GETDOMAINEFFECTIVESETTINGS other.example", "201 {DomainAccessModes=All;x=server;}"),
        ("UPDATECLUSTERACCOUNTDEFAULTS {a=cluster;ServiceClasses={gold={b=gold;};};ServiceClass=gold;}", "200 OK"),
        ("SETSERVERACCOUNTDEFAULTS {a=server;}", "200 OK"),
        ("GETACCOUNTONESETTING user@shared.example a", "201 cluster"),
        ("GETACCOUNTONESETTING user@shared.example b", "201 gold"),
        ("GETACCOUNTONESETTING user@other.example a", "201 server"),
        ("GETACCOUNTONESETTING user@main.example b", "201 #NULL#"),
        ("SETACCOUNTDEFAULTS shared.example {a=domain;}", "200 OK"),
        ("GETACCOUNTONESETTING user@shared.example a", "201 domain"),
        ("SETCLUSTERACCOUNTPREFS {p=cluster;q=cluster;}", "200 OK"),
        ("SETSERVERACCOUNTPREFS {p=server;}", "200 OK"),
        ("GETACCOUNTEFFECTIVEPREFS user@shared.example", "201 {p=cluster;q=cluster;}"),
        ("GETACCOUNTEFFECTIVEPREFS user@main.example", "201 {p=server;}"),
        ("RENAMEDOMAIN shared.example INTO moved.example", "200 OK"),
        ("SUSPENDDOMAIN moved.example", "200 OK"),
        ("GETDOMAINEFFECTIVESETTINGS moved.example", "201 {DomainAccessModes=All;x=cluster;y=own;}"),
        ("RESUMEDOMAIN moved.example", "200 OK"),
        ("UPDATECLUSTERACCOUNTDEFAULTS {Password=x;}", "501 a password is no default"),
    ]);
    world.expect_by("user@moved.example", &[("NOOP", "200 OK")]);
    world.expect(&[("UPDATECLUSTERDOMAINDEFAULTS {DomainAccessModes=None;}", "200 OK")]);
    world.expect_by("user@moved.example", &[("NOOP", "510 insufficient access rights")]);
    world.expect_by("user@other.example", &[("NOOP", "200 OK")]);
}

#[test]
fn what_is_kept_for_the_cluster_is_kept_apart() {
    let mut world = World::new();
    world.expect(&[
        ("SETNETWORK {x=server;}", "200 OK"),
        ("SETCLUSTERNETWORK {x=cluster;}", "200 OK"),
        ("GETNETWORK", "201 {x=server;}"),
        ("GETCLUSTERNETWORK", "201 {x=cluster;}"),
        ("POSTCLUSTERALERT beware", "200 OK"),
        ("GETCLUSTERALERTS", "201 {\"#T09-09-2001_01:46:40\"=beware;}"),
        ("GETSERVERALERTS", "201 {}"),
        ("REMOVECLUSTERALERT #T09-09-2001_01:46:40", "200 OK"),
        ("REMOVECLUSTERALERT #T09-09-2001_01:46:40", "501 unknown object"),
        ("GETCLUSTERDENIEDIPS", "201 \"\""),
        ("SETCLUSTERDENIEDIPS \"192.0.2.0/24 ; them\\e!192.0.2.1\"", "200 OK"),
        ("SETCLUSTERDENIEDIPS \"192.0.2.0/24\\e192.0.2.1/24\"", "501 the bits behind the mask must be zero, in line 2"),
        ("GETCLUSTERDENIEDIPS", "201 \"192.0.2.0/24 ; them\\e!192.0.2.1\""),
        ("GETCLUSTERCLIENTIPS", "201 \"\""),
        ("SETCLUSTERROUTERTABLE \"a = b\"", "200 OK"),
        ("GETCLUSTERROUTERTABLE", "201 \"a = b\""),
        ("SETCLUSTERTRUSTEDCERTS ([aGk=])", "200 OK"),
        ("GETCLUSTERTRUSTEDCERTS", "201 ([aGk=])"),
        ("GETSERVERTRUSTEDCERTS", "201 ()"),
    ]);
}

#[test]
fn a_password_is_no_setting() {
    let mut world = World::furnished();
    world.expect(&[
        ("UPDATEACCOUNTSETTINGS user@other.example {Password=\"another one\";x=1;}", "200 OK"),
        ("VERIFYACCOUNTPASSWORD user@other.example PASSWORD \"another one\"", "200 OK"),
        ("GETACCOUNTSETTINGS user@other.example", "201 {RealName=\"A User\";x=1;}"),
        ("SETACCOUNTSETTINGS user@other.example {}", "200 OK"),
        ("VERIFYACCOUNTPASSWORD user@other.example PASSWORD \"another one\"", "200 OK"),
        ("UPDATEACCOUNTSETTINGS user@other.example {Password=(1);}", "501 a password is a string"),
        ("UPDATESERVERACCOUNTDEFAULTS {Password=x;}", "501 a password is no default"),
        ("UPDATEACCOUNTTEMPLATE other.example {Password=x;}", "501 a password is no default"),
    ]);
}

#[test]
fn passwords_are_set_by_administrators_freely_and_by_owners_within_the_rules() {
    let mut world = World::furnished();
    world.expect(&[
        ("SETACCOUNTPASSWORD user@other.example PASSWORD x", "200 OK"),
        ("SETACCOUNTPASSWORD user@other.example TO \"two words\"", "200 OK"),
        ("VERIFYACCOUNTPASSWORD user@other.example PASSWORD \"two words\"", "200 OK"),
        (
            "SETACCOUNTPASSWORD user@other.example PASSWORD short CHECK",
            "501 new password must have at least 8 characters",
        ),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"\"", "501 a password must not be empty"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD secret12 METHOD PWD", "200 OK"),
        ("SETACCOUNTPASSWORD nobody@other.example PASSWORD secret12", "513 unknown user account"),
    ]);
    let user = "user@other.example";
    world.expect_by(
        user,
        &[
            ("SETACCOUNTPASSWORD * PASSWORD short", "501 new password must have at least 8 characters"),
            (
                "SETACCOUNTPASSWORD user PASSWORD user@OTHER.example",
                "501 new password must differ from the account name",
            ),
            ("SETACCOUNTPASSWORD alias@alias.example PASSWORD \"long enough\"", "200 OK"),
        ],
    );
    world.expect(&[("UPDATEACCOUNTSETTINGS user@other.example {PWDAllowed=NO;}", "200 OK")]);
    let refused = "510 this account may not change its password - ask the administrator";
    world.expect_by(user, &[("SETACCOUNTPASSWORD * PASSWORD \"long enough\"", refused)]);
    world.expect(&[("SETACCOUNTPASSWORD user@other.example PASSWORD \"long enough\" CHECK", refused)]);
}

#[test]
fn an_application_has_a_password_that_is_set_and_taken_away_by_its_tag() {
    let mut world = World::furnished();
    let absent = "501 the account has no such password";
    world.expect(&[
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"for phone\" TAG phone", "200 OK"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"for desk\" NAME \"the desk\"", "200 OK"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"for calls\" METHOD sip", "200 OK"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"for tests\" tests CHECK", "200 OK"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"\" tests", "200 OK"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"for radius\" Radius", "200 OK"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"\" Radius", "200 OK"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"blue harbor 42\" imap", "200 OK"),
        ("GETACCOUNTINFO user@other.example KEY ApplicationPasswords", "201 (phone,\"the desk\")"),
        ("VERIFYACCOUNTPASSWORD user@other.example PASSWORD \"for phone\"", "200 OK"),
        ("VERIFYACCOUNTPASSWORD user@other.example PASSWORD \"for desk\"", "200 OK"),
        ("VERIFYACCOUNTPASSWORD user@other.example PASSWORD \"blue harbor 42\"", "200 OK"),
        ("VERIFYACCOUNTPASSWORD user@other.example PASSWORD \"for calls\"", "515 incorrect password or account name"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"own again\"", "200 OK"),
        ("UPDATEACCOUNTSETTINGS user@other.example {x=1;}", "200 OK"),
        ("VERIFYACCOUNTPASSWORD user@other.example PASSWORD \"for phone\"", "200 OK"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"phone again\" TAG phone", "200 OK"),
        ("VERIFYACCOUNTPASSWORD user@other.example PASSWORD \"for phone\"", "515 incorrect password or account name"),
        ("RENAMEACCOUNT user@other.example INTO renamed@other.example", "200 OK"),
        ("VERIFYACCOUNTPASSWORD renamed@other.example PASSWORD \"phone again\"", "200 OK"),
        ("SETACCOUNTPASSWORD renamed@other.example PASSWORD \"\" TAG phone", "200 OK"),
        ("SETACCOUNTPASSWORD renamed@other.example PASSWORD \"\" TAG phone", absent),
        ("SETACCOUNTPASSWORD renamed@other.example PASSWORD \"\" METHOD RADIUS", absent),
        ("SETACCOUNTPASSWORD renamed@other.example PASSWORD \"\" METHOD SIP", "200 OK"),
        ("GETACCOUNTINFO renamed@other.example KEY ApplicationPasswords", "201 (\"the desk\")"),
        (
            "SETACCOUNTPASSWORD renamed@other.example PASSWORD x TAG a METHOD SIP",
            "501 a password has a METHOD or a TAG, not both",
        ),
        ("SETACCOUNTPASSWORD renamed@other.example PASSWORD x TAG \"\"", "501 a tag must have 1 to 64 bytes"),
        (
            "SETACCOUNTPASSWORD renamed@other.example PASSWORD \"\\002{SHA}qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\" TAG a",
            "501 a password beside the account's own one cannot be set by its hash",
        ),
        ("SETACCOUNTPASSWORD renamed@other.example PASSWORD short TAG a CHECK", TOO_SHORT),
    ]);
    for number in 1..APPLICATION_PASSWORDS_MAX {
        let line = format!("SETACCOUNTPASSWORD renamed@other.example PASSWORD \"number {number}\" TAG {number}");
        assert_eq!(world.master(&line), "200 OK");
    }
    let line = "SETACCOUNTPASSWORD renamed@other.example PASSWORD more TAG more";
    world.expect(&[(line, "501 the account has too many passwords - remove one first")]);
    let line = format!("SETACCOUNTPASSWORD renamed@other.example PASSWORD \"\" TAG {}", "x".repeat(TAG_BYTES_MAX));
    world.expect(&[(&line, absent)]);
}

#[test]
fn who_logged_in_with_the_password_of_an_application_sets_none_of_the_account() {
    let mut world = World::furnished();
    world.expect(&[
        ("SETACCOUNTPASSWORD admin@other.example PASSWORD \"for phone\" TAG phone", "200 OK"),
        ("SETACCOUNTRIGHTS admin@other.example (Domain,BasicSettings,Password)", "200 OK"),
    ]);
    let name = AccountName::parse("admin@other.example").unwrap();
    let id = world.directory.account(&name).unwrap().unwrap().credentials.alternatives[0].id;
    let proof = world.proof(name, 1).of_application(id);
    let refused = "510 logged in with the password of an application - log in with that of the account";
    for (line, answer) in [
        ("SETACCOUNTPASSWORD * PASSWORD \"long enough\"", refused),
        ("SETACCOUNTPASSWORD admin PASSWORD \"long enough\" TAG phone", refused),
        ("UPDATEACCOUNTSETTINGS admin {Password=\"long enough\";}", refused),
        ("UPDATEACCOUNTSETTINGS admin {RealName=A;}", "200 OK"),
        ("SETACCOUNTPASSWORD user PASSWORD \"long enough\"", "200 OK"),
    ] {
        assert_eq!(world.with_proof(&proof, line.as_bytes()), answer, "{line}");
    }
    world.expect(&[("SETACCOUNTPASSWORD admin@other.example PASSWORD \"new phone\" TAG phone", "200 OK")]);
    assert_eq!(world.with_proof(&proof, b"NOOP"), "expired");
    world.expect_by(
        "admin@other.example",
        &[("SETACCOUNTPASSWORD * PASSWORD \"\" TAG phone", "200 OK"), ("NOOP", "200 OK")],
    );
}

#[test]
fn complexity_is_asked_for_where_a_password_is_checked() {
    let mut world = World::furnished();
    let simple = "501 new password is too simple - mix capital and small letters with digits and signs";
    world.expect(&[
        ("UPDATEACCOUNTDEFAULTS other.example {PasswordComplexity=MixedCaseDigit;}", "200 OK"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"long enough\"", "200 OK"),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"long enough\" CHECK", simple),
        ("SETACCOUNTPASSWORD user@other.example PASSWORD \"Long enough 2\" CHECK", "200 OK"),
    ]);
    world.expect_by("user@other.example", &[("SETACCOUNTPASSWORD * PASSWORD \"long enough\"", simple)]);
}

#[test]
fn aliases_follow_their_account() {
    let mut world = World::furnished();
    world.expect(&[
        ("GETACCOUNTALIASES alias@alias.example", "201 (alias)"),
        ("SETACCOUNTALIASES user@other.example (alias,\"x@other.example\")", "200 OK"),
        ("SETACCOUNTALIASES user@other.example (admin)", "520 account with this name already exists"),
        ("SETACCOUNTALIASES user@other.example (\"x@main.example\")", "501 an alias is in the domain of its account"),
        ("SETACCOUNTALIASES user@other.example (\"\")", "501 name has illegal characters"),
        ("CREATEACCOUNT x@other.example", "520 account with this name already exists"),
        ("RENAMEACCOUNT x@other.example INTO y", "513 unknown user account"),
        ("RENAMEACCOUNT user@other.example INTO renamed@other.example", "200 OK"),
        ("GETACCOUNTSETTINGS x@other.example", "201 {RealName=\"A User\";}"),
        ("GETACCOUNTSETTINGS user@other.example", "513 unknown user account"),
        ("RENAMEACCOUNT renamed@other.example INTO moved@main.example", "200 OK"),
        ("GETACCOUNTALIASES alias@main.example", "201 (alias,x)"),
        ("VERIFYACCOUNTPASSWORD moved PASSWORD \"blue harbor 42\"", "200 OK"),
        ("GETACCOUNTALIASES alias@other.example", "513 unknown user account"),
        ("DELETEACCOUNT alias", "513 unknown user account"),
        ("DELETEACCOUNT moved", "200 OK"),
        ("CREATEACCOUNT alias", "200 OK"),
    ]);
}

#[test]
fn domains_are_created_renamed_and_deleted_with_what_is_in_them() {
    let mut world = World::furnished();
    world.expect(&[
        ("LISTDOMAINS", "201 (main.example,other.example)"),
        ("CREATEDOMAIN alias.example", "500 domain with this name already exists"),
        ("CREATEDOMAIN third.example {x=1;}", "200 OK"),
        ("CREATEDOMAIN \"a b\"", "501 domain name has illegal characters"),
        ("GETDOMAINSETTINGS third.example", "201 {x=1;}"),
        ("GETDOMAINALIASES other.example", "201 (alias.example)"),
        ("DELETEDOMAIN other.example", "501 domain is not empty"),
        ("DELETEDOMAIN alias.example FORCE", "512 unknown secondary domain name"),
        ("DELETEDOMAIN main.example FORCE", "501 this cannot be done to the main domain"),
        ("RENAMEDOMAIN other.example INTO third.example", "500 domain with this name already exists"),
        ("RENAMEDOMAIN other.example INTO new.example", "200 OK"),
        ("LISTACCOUNTS alias.example", "201 {admin=macnt;user=macnt;}"),
        ("GETACCOUNTSETTINGS alias@new.example", "201 {RealName=\"A User\";}"),
        ("GETACCOUNTSETTINGS alias@other.example", "512 unknown secondary domain name"),
        ("DELETEDOMAIN new.example FORCE", "200 OK"),
        ("DELETEDOMAIN third.example", "200 OK"),
        ("LISTDOMAINS", "201 (main.example)"),
        ("CREATEDOMAIN other.example", "200 OK"),
        ("LISTACCOUNTS other.example", "201 {}"),
        ("SUSPENDDOMAIN main.example", "501 this cannot be done to the main domain"),
    ]);
}

#[test]
fn nobody_of_a_suspended_domain_may_do_anything() {
    let mut world = World::furnished();
    world.expect(&[("SUSPENDDOMAIN other.example", "200 OK")]);
    world.expect_by("admin@other.example", &[("LISTACCOUNTS", "510 insufficient access rights")]);
    world.expect(&[("RESUMEDOMAIN other.example", "200 OK")]);
    world.expect_by("admin@other.example", &[("LISTACCOUNTS", "201 {admin=macnt;user=macnt;}")]);
}

#[test]
fn objects_are_listed_in_portions() {
    let mut world = World::furnished();
    world.expect(&[
        ("LISTDOMAINOBJECTS other.example 10", "201 (2,{admin=macnt;user=macnt;alias=(user);},1,0)"),
        ("LISTDOMAINOBJECTS other.example 10 ACCOUNTS", "201 (2,{admin=macnt;user=macnt;},1,0)"),
        ("LISTDOMAINOBJECTS other.example filter \"US\" 10", "201 (2,{user=macnt;},1,0)"),
        ("LISTDOMAINOBJECTS other.example 1 COOKIE \"\"", "201 (2,{admin=macnt;},1,0,\"2:1:0:account:admin\")"),
        (
            "LISTDOMAINOBJECTS other.example 1 COOKIE \"2:1:0:account:admin\"",
            "201 (2,{user=macnt;},1,0,\"2:1:0:account:user\")",
        ),
        ("LISTDOMAINOBJECTS other.example 2 COOKIE \"2:1:0:account:user\"", "201 (2,{alias=(user);},1,0,\"\")"),
        ("LISTDOMAINOBJECTS other.example 2 COOKIE \"nonsense\"", "501 unknown cookie"),
        ("LISTDOMAINOBJECTS other.example x", "501 limit is not a number"),
    ]);
}

#[test]
fn a_domain_administrator_changes_what_his_rights_name_and_no_more() {
    let mut world = World::furnished();
    world.expect_by(
        "admin@other.example",
        &[
            ("CREATEACCOUNT new {Password=\"long enough\";RealName=N;AccessModes=None;Quota=5;}", "200 OK"),
            ("GETACCOUNTSETTINGS new", "201 {AccessModes=None;RealName=N;}"),
            ("UPDATEACCOUNTSETTINGS new {RealName=M;Quota=5;}", "200 OK"),
            ("GETACCOUNTSETTINGS new", "201 {AccessModes=None;RealName=M;}"),
            ("UPDATEDOMAINSETTINGS {AccessModes=x;AdminDomainName=main.example;y=1;}", "200 OK"),
            ("GETDOMAINSETTINGS", "201 {AccessModes=x;}"),
            ("RENAMEACCOUNT new INTO newer@main.example", "510 insufficient access rights"),
            ("CREATEACCOUNT new@main.example", "510 insufficient access rights"),
            ("SETACCOUNTALIASES new (n)", "510 insufficient access rights"),
            ("SETACCOUNTRIGHTS admin (Domain)", "510 insufficient access rights"),
            ("GETACCOUNTSETTINGS user@main.example", "510 insufficient access rights"),
            ("GETACCOUNTSETTINGS user@nowhere.example", "510 insufficient access rights"),
        ],
    );
    world.expect(&[
        ("CREATEDOMAIN lent.example {AdminDomainName=other.example;}", "200 OK"),
        ("LISTADMINDOMAINS other.example", "201 (lent.example)"),
    ]);
    world.expect_by("admin@other.example", &[("CREATEACCOUNT x@lent.example", "200 OK")]);
}

#[test]
fn accounts_with_rights_to_the_server_are_changed_by_masters_alone() {
    let mut world = World::furnished();
    world.expect(&[
        ("SETACCOUNTRIGHTS user (Users,Domain,BasicSettings)", "200 OK"),
        ("GETACCOUNTRIGHTS user", "201 (Users,Domain,BasicSettings)"),
        ("CREATEACCOUNT second", "200 OK"),
        ("SETACCOUNTRIGHTS second (Monitor)", "200 OK"),
        ("CREATEACCOUNT third", "200 OK"),
    ]);
    let refused = "510 insufficient access rights";
    world.expect_by(
        "user@main.example",
        &[
            ("SETACCOUNTPASSWORD postmaster PASSWORD \"long enough\"", refused),
            ("VERIFYACCOUNTPASSWORD postmaster PASSWORD \"long enough\"", refused),
            ("DELETEACCOUNT second", refused),
            ("SETACCOUNTRIGHTS user (Master)", refused),
            ("SETACCOUNTRIGHTS admin@other.example ()", "200 OK"),
            ("GETACCOUNTSETTINGS postmaster", "201 {}"),
            ("SETACCOUNTPASSWORD * PASSWORD \"long enough\"", "200 OK"),
            ("DELETEACCOUNT third", "200 OK"),
        ],
    );
}

#[test]
fn a_login_counts_no_longer_once_the_password_is_another_one() {
    let mut world = World::furnished();
    let name = || AccountName::parse("user@other.example").unwrap();
    let proof = world.proof(name(), 1);
    assert_eq!(world.with_proof(&proof, b"NOOP"), "200 OK");
    world.expect(&[("SETACCOUNTPASSWORD user@other.example PASSWORD other123", "200 OK")]);
    assert_eq!(world.with_proof(&proof, b"NOOP"), "expired");
    world.expect(&[("DELETEACCOUNT user@other.example", "200 OK")]);
    let proof = world.proof(name(), 2);
    assert_eq!(world.with_proof(&proof, b"NOOP"), "expired");
}

#[test]
fn a_hash_that_other_software_made_is_a_password_and_control_characters_are_none() {
    let mut world = World::furnished();
    world.expect(&[
        ("SETACCOUNTPASSWORD user PASSWORD \"\\002{SHA}qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\"", "200 OK"),
        ("VERIFYACCOUNTPASSWORD user PASSWORD abc", "200 OK"),
        ("VERIFYACCOUNTPASSWORD user PASSWORD abd", "515 incorrect password or account name"),
        ("CREATEACCOUNT hashed {Password=\"\\002{SHA}qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\";}", "200 OK"),
        ("VERIFYACCOUNTPASSWORD hashed PASSWORD abc", "200 OK"),
        ("SETACCOUNTPASSWORD user PASSWORD \"\\002{NONE}x\"", "501 the hash is of an unknown scheme"),
        ("SETACCOUNTPASSWORD user PASSWORD \"\\002{SHA}x\"", "501 the hash is malformed"),
        (
            "SETACCOUNTPASSWORD user PASSWORD \"\\002{SHA}qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\" CHECK",
            "501 a hash tells nothing of its password, which must be checked",
        ),
        ("SETACCOUNTPASSWORD user PASSWORD \"a\\010b\"", "501 a password must not have control characters"),
    ]);
}

#[test]
fn groups_and_forwarders_share_the_names_of_accounts() {
    let mut world = World::furnished();
    world.expect(&[
        ("CREATEGROUP team@other.example{Members=(user,\"admin@other.example\",other);RealName=T;}", "200 OK"),
        ("CREATEGROUP team@other.example", "523 group with this name already exists"),
        ("CREATEGROUP user@other.example", "520 account with this name already exists"),
        ("CREATEGROUP alias@other.example", "520 account with this name already exists"),
        ("CREATEGROUP team@nowhere.example", "512 unknown secondary domain name"),
        ("CREATEACCOUNT team@other.example", "520 account with this name already exists"),
        ("SETACCOUNTALIASES user@other.example (team)", "520 account with this name already exists"),
        ("LISTGROUPS other.example", "201 (team)"),
        ("GETGROUP team@alias.example", "201 {Members=(user,admin@other.example,other);RealName=T;}"),
        ("SETGROUP team@other.example {x=1;}", "200 OK"),
        ("GETGROUP team@other.example", "201 {Members=();x=1;}"),
        ("GETGROUP other@other.example", "501 unknown group"),
        ("RENAMEGROUP team@other.example INTO crew@other.example", "200 OK"),
        ("CREATEGROUP own@other.example {Members=(own,user);}", "200 OK"),
        ("RENAMEGROUP own@other.example INTO its.own@other.example", "200 OK"),
        ("GETGROUP its.own@other.example", "201 {Members=(its.own,user);}"),
        ("DELETEGROUP its.own@other.example", "200 OK"),
        ("DELETEGROUP team@other.example", "501 unknown group"),
        ("CREATEFORWARDER fwd@other.example TO user@other.example", "200 OK"),
        ("CREATEFORWARDER fwd@other.example TO x@y", "524 forwarder with this name already exists"),
        ("CREATEFORWARDER far@other.example TO \"x y@z\"", "200 OK"),
        ("GETFORWARDER far@other.example", "201 \"x y@z\""),
        ("GETFORWARDER crew@other.example", "553 unknown forwarder"),
        ("LISTFORWARDERS other.example", "201 (far,fwd)"),
        ("FINDFORWARDERS other.example TO USER@other.example", "201 (fwd)"),
        (
            "LISTDOMAINOBJECTS other.example 10 FORWARDERS COOKIE \"\"",
            "201 (2,{far=((\"x y@z\"));fwd=((user@other.example));},1,2,\"\")",
        ),
        ("RENAMEFORWARDER far@other.example INTO near@other.example", "200 OK"),
        ("DELETEFORWARDER near@other.example", "200 OK"),
        ("DELETEGROUP crew@other.example", "200 OK"),
    ]);
}

#[test]
fn groups_and_forwarders_follow_an_account_to_its_new_name() {
    let mut world = World::furnished();
    world.expect(&[
        ("CREATEGROUP team@other.example {Members=(user,admin);}", "200 OK"),
        ("CREATEFORWARDER fwd@other.example TO user", "200 OK"),
        ("CREATEFORWARDER full@other.example TO USER@other.example", "200 OK"),
        ("RENAMEACCOUNT user@other.example INTO renamed@other.example", "200 OK"),
        ("GETGROUP team@other.example", "201 {Members=(renamed,admin);}"),
        ("GETFORWARDER fwd@other.example", "201 renamed"),
        ("GETFORWARDER full@other.example", "201 renamed@other.example"),
        ("DELETEACCOUNT renamed@other.example", "200 OK"),
        ("GETGROUP team@other.example", "201 {Members=(admin);}"),
        ("CREATEGROUP all@other.example {Members=(team);}", "200 OK"),
        ("RENAMEGROUP team@other.example INTO team@main.example", "200 OK"),
        ("GETGROUP all@other.example", "201 {Members=(team@main.example);}"),
        ("DELETEDOMAIN other.example", "501 domain is not empty"),
        ("SETGROUP all@other.example {Members=(admin,\"Admin@Other.example\",x@main.example);y=1;}", "200 OK"),
        ("CREATEFORWARDER back@other.example TO admin@other.example", "200 OK"),
        ("RENAMEDOMAIN other.example INTO new.example", "200 OK"),
        ("GETGROUP all@new.example", "201 {Members=(admin,Admin@new.example,x@main.example);y=1;}"),
        ("GETFORWARDER back@new.example", "201 admin@new.example"),
        ("GETFORWARDER fwd@new.example", "201 renamed"),
        ("LISTGROUPS new.example", "201 (all)"),
        ("DELETEDOMAIN new.example FORCE", "200 OK"),
        ("CREATEDOMAIN new.example", "200 OK"),
        ("LISTGROUPS new.example", "201 ()"),
    ]);
}

#[test]
fn what_is_kept_is_shown_again_and_goes_with_its_holder() {
    let mut world = World::furnished();
    world.expect(&[
        ("SETSERVERACCOUNTPREFS {a=server;b=server;c=server;}", "200 OK"),
        ("UPDATESERVERACCOUNTPREFS {c=default;}", "200 OK"),
        ("SETACCOUNTDEFAULTPREFS other.example {b=domain;}", "200 OK"),
        ("UPDATEACCOUNTPREFS user@other.example {d=own;}", "200 OK"),
        ("GETACCOUNTPREFS user@other.example", "201 {d=own;}"),
        ("GETACCOUNTEFFECTIVEPREFS user@other.example", "201 {a=server;b=domain;d=own;}"),
        ("GETACCOUNTALERTS user@other.example", "201 {}"),
        ("POSTACCOUNTALERT user@other.example ALERT \"first one\"", "200 OK"),
        ("POSTACCOUNTALERT user@other.example ALERT second", "200 OK"),
        ("REMOVEACCOUNTALERT user@other.example ALERT #T09-09-2001_01:46:40", "200 OK"),
        ("REMOVEACCOUNTALERT user@other.example ALERT #T09-09-2001_01:46:40", "501 unknown object"),
        ("GETACCOUNTALERTS user@other.example", "201 {\"#T09-09-2001_01:46:41\"=second;}"),
        ("SETLANIPS \"10.0.0.0/8\\e!10.1.1.1\"", "200 OK"),
        ("GETLANIPS", "201 \"10.0.0.0/8\\e!10.1.1.1\""),
        ("GETNATEDIPS", "201 \"\""),
        ("GETSERVERTRUSTEDCERTS", "201 ()"),
        ("SETSERVERTRUSTEDCERTS ([aGk=])", "200 OK"),
        ("GETSERVERTRUSTEDCERTS", "201 ([aGk=])"),
        ("SETACCOUNTACL user@other.example {admin=lr;\"anyone\"=l;}", "200 OK"),
        ("SETACCOUNTACL user@other.example {admin=\"+is\";anyone=\"-l\";}", "200 OK"),
        ("GETACCOUNTACL user@other.example", "201 {admin=lris;}"),
        ("GETACCOUNTACLRIGHTS user@other.example AUTH admin@other.example", "201 lris"),
        ("GETACCOUNTACLRIGHTS user@other.example AUTH user@main.example", "201 \"\""),
        ("GETACCOUNTACLRIGHTS user@other.example AUTH alias@other.example", "201 lrswipkxtea"),
        ("RENAMEACCOUNT user@other.example INTO renamed@other.example", "200 OK"),
        ("RENAMEDOMAIN other.example INTO new.example", "200 OK"),
        ("GETACCOUNTPREFS renamed@new.example", "201 {d=own;}"),
        ("GETACCOUNTDEFAULTPREFS new.example", "201 {b=domain;}"),
        ("DELETEACCOUNT renamed@new.example", "200 OK"),
        ("CREATEACCOUNT renamed@new.example", "200 OK"),
        ("GETACCOUNTPREFS renamed@new.example", "201 {}"),
        ("GETACCOUNTPREFS nobody@new.example", "513 unknown user account"),
        ("GETACCOUNTDEFAULTPREFS nowhere.example", "512 unknown secondary domain name"),
    ]);
    world.expect_by("admin@new.example", &[("GETACCOUNTPREFS *", "201 {}"), ("SETACCOUNTPREFS * {x=1;}", "200 OK")]);
}

/// Who the matrix of rights knows, from few rights to all: a user, administrators of `other.example`
/// without any code and with every one, and one account of the main domain for each right to the
/// server.
const ROLES: &[(&str, &str)] = &[
    ("user@other.example", ""),
    ("helper@other.example", "Domain alone"),
    ("admin@other.example", "Domain"),
    ("settings@main.example", "Settings"),
    ("users@main.example", "Users"),
    ("domains@main.example", "Domains"),
    ("monitor@main.example", "Monitor"),
    ("directory@main.example", "Directory"),
    ("postmaster@main.example", "Master"),
];

/// A line for `row` about `account` or its domain, with the least arguments.
fn line(row: &Row, account: &str) -> String {
    let (_, domain) = account.split_once('@').unwrap();
    let mut line = row.name().to_owned();
    let mut depth = 0;
    for word in row.arguments.split_ascii_whitespace() {
        depth += i32::from(word.starts_with('['));
        let bare = word.trim_matches(|c| c == '[' || c == ']');
        let is_about = ["accountName", "domainName", "groupName", "forwarderName"].contains(&bare);
        if depth == 0 || is_about && word.starts_with('[') {
            let argument = match bare {
                "domainName" => domain.to_owned(),
                _ if is_about => account.to_owned(),
                _ if bare.ends_with("Dict") => "{}".to_owned(),
                _ if bare.ends_with("Array") => "()".to_owned(),
                "limit" | "level" => "1".to_owned(),
                "seconds" => "0".to_owned(),
                _ if bare.starts_with(|first: char| first.is_ascii_uppercase()) => {
                    bare.split('|').next().unwrap().to_owned()
                }
                _ => "something".to_owned(),
            };
            line = format!("{line} {argument}");
        }
        depth -= i32::from(word.ends_with(']'));
    }
    if row.arguments.contains("[DOMAIN domainName]") {
        line = format!("{line} DOMAIN {domain}");
    }
    line
}

/// What the specification says, in words of its own: may `role` call `row` about something in
/// `domain`?
fn may(row: &Row, role: &str, domain: &str) -> bool {
    let reads = row.output != Shape::Nothing;
    match (row.right, role) {
        (_, "Master") | (Right::Anyone, _) => true,
        (Right::Server(rights), "Domains") => reads && rights.contains(&ServerRight::Users),
        (Right::Server(rights), role) => rights.iter().any(|right| format!("{right:?}") == role),
        (Right::Domain { .. }, "Users") => true,
        (Right::Domain { .. }, "Domains") => reads,
        (Right::Domain { .. }, "Domain") => domain == "other.example" && row.arguments.contains("Name"),
        (Right::Domain { code, .. }, "Domain alone") => code.is_none() && may(row, "Domain", domain),
        (Right::Domain { .. }, _) => false,
    }
}

#[test]
fn every_command_is_open_to_those_who_have_the_right_and_to_nobody_else() {
    let mut codes = vec!["Domain"];
    codes.extend(rows().filter_map(|row| match row.right {
        Right::Domain { code, .. } => code,
        Right::Anyone | Right::Server(_) => None,
    }));
    let mut world = World::furnished();
    for (account, right) in ROLES {
        let rights = if *right == "Domain" { codes.join(",") } else { right.replace(" alone", "") };
        if !["user", "admin", "postmaster"].iter().any(|known| account.starts_with(&format!("{known}@"))) {
            assert_eq!(world.master(&format!("CREATEACCOUNT {account} {{Password=\"{PASSWORD}\";}}")), "200 OK");
        }
        assert_eq!(world.master(&format!("SETACCOUNTRIGHTS {account} ({rights})")), "200 OK");
    }
    for row in rows() {
        for (account, right) in ROLES {
            for domain in ["other.example", "main.example"] {
                // Nobody's account: what is refused is refused before anything is looked up.
                let line = line(row, &format!("someone@{domain}"));
                let answer = world.by(account, &line);
                let code = &answer[..3];
                let shown = format!("{account}: {line} -> {answer}");
                if matches!(row.status, Status::Unsupported) {
                    assert_eq!(code, "501", "{shown}");
                } else if may(row, right, domain) {
                    assert!(code != "510" && !answer.contains("do not fit"), "{shown}");
                } else {
                    assert_eq!(code, "510", "{shown}");
                }
                if code == "200" || code == "201" {
                    assert_eq!(row.output == Shape::Nothing, code == "200", "{shown}");
                }
            }
        }
    }
}

#[test]
fn an_account_calls_for_itself_what_is_open_to_it_and_nothing_else() {
    let mut world = World::furnished();
    for row in rows().filter(|row| !matches!(row.status, Status::Unsupported)) {
        let line = line(row, "user@other.example");
        let answer = world.by("user@other.example", &line);
        let is_open = matches!(row.right, Right::Anyone | Right::Domain { or_self: true, .. });
        let is_about_account = row.arguments.contains("accountName");
        let may = row.right == Right::Anyone || is_open && is_about_account;
        assert_eq!(answer.starts_with("510"), !may, "{line} -> {answer}");
        assert!(!answer.contains("do not fit"), "{line} -> {answer}");
    }
}

/// Pieces that arguments are made of, sensible and not.
const PIECES: &[&str] = &[
    " ",
    " ",
    " ",
    " ",
    "user",
    "postmaster",
    "other.example",
    "user@other.example",
    "*",
    "{",
    "}",
    "{a=b;}",
    "{Password=secret12;}",
    "{Members=(x);}",
    "(",
    ")",
    "(a,b)",
    "\"",
    "\"x y\"",
    "\\",
    ";",
    "=",
    "#5",
    "#NULL#",
    "PASSWORD",
    "INTO",
    "TO",
    "FORCE",
    "FILTER",
    "COOKIE",
    "CHECK",
    "KEY",
    "10",
    "-1",
    "\u{1}",
    "\u{e4}",
    "<a>",
];

proptest! {
    #[test]
    fn no_line_upsets_anybody_and_every_answer_is_one_line(
        command in select(rows().map(Row::name).collect::<Vec<_>>()),
        pieces in vec(select(PIECES), 0..12),
        bytes in vec(any::<u8>(), 0..8),
    ) {
        let mut world = World::furnished();
        let mut line = command.as_bytes().to_vec();
        pieces.iter().for_each(|piece| line.extend_from_slice(piece.as_bytes()));
        line.extend(bytes.into_iter().filter(|&byte| byte != b'\n'));
        for account in ["postmaster@main.example", "user@other.example"] {
            let answer = world.line_by(account, &line);
            prop_assert!(answer.len() > 4 && answer.as_bytes()[..3].iter().all(u8::is_ascii_digit), "{answer}");
            prop_assert!(!answer.contains(['\r', '\n']), "{answer}");
            if !answer.starts_with('2') {
                prop_assert!(answer.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{answer}");
            }
        }
    }
}
