"""Administers a server with CGPCLI, as it comes from PyPI; prints what is not as expected.

    python3 cgpcli.py FOLDER HOST PORT MAIN_DOMAIN USER PASSWORD

FOLDER holds the unpacked package.
"""

import sys

folder, host, port, main_domain, user, password = sys.argv[1:]
sys.path.insert(0, folder)

from CGPCLI.Commands import Server  # noqa: E402
from CGPCLI.Errors import CommandFailedError, FailedLogin  # noqa: E402

DOMAIN = "live.example"
JOHN = "john@" + DOMAIN


def connect():
    server = Server(host, int(port))
    server.connect()
    return server


def body(method, *args, **kwargs):
    try:
        return getattr(server, method)(*args, **kwargs)["body"]
    except CommandFailedError as error:
        return "refused: " + str(error)


def check(expected, method, *args, **kwargs):
    """Expects this object."""
    got = body(method, *args, **kwargs)
    if got != expected:
        print(method, args, kwargs, "->", repr(got), "and not", repr(expected))


def done(method, *args, **kwargs):
    check("OK", method, *args, **kwargs)


def refused(code, method, *args, **kwargs):
    got = body(method, *args, **kwargs)
    if not (isinstance(got, str) and got.startswith("refused: ") and code in got):
        print(method, args, kwargs, "->", repr(got), "and not", code)


server = connect()
try:
    server.login(user, "not " + password)
    print("logged in with a wrong password")
except FailedLogin:
    server.disconnect()
server = connect()
server.login(user, password)

done("noop")
check({"a": ["b", "c"]}, "echo", {"a": ["b", "c"]})
check(main_domain, "main_domain_name")

done("create_domain", DOMAIN)
refused("500", "create_domain", DOMAIN)
check(sorted([main_domain, DOMAIN]), "list_domains")
done("update_domain_settings", {"x": "1"}, domain_name=DOMAIN)
check({"x": "1"}, "get_domain_settings", DOMAIN)
check({"DomainAccessModes": "All", "x": "1"}, "get_domain_effective_settings", DOMAIN)
done("set_domain_settings", DOMAIN, {"y": "2"})
done("set_domain_aliases", DOMAIN, ["alias.example"])
check(["alias.example"], "get_domain_aliases", DOMAIN)
done("update_account_defaults", {"z": "1"}, domain_name=DOMAIN)
check({"z": "1"}, "get_account_defaults", DOMAIN)
done("set_account_template", {"t": "1"}, domain_name=DOMAIN)
check({"t": "1"}, "get_account_template", DOMAIN)
done("suspend_domain", DOMAIN)
done("resume_domain", DOMAIN)
check([], "list_admin_domains", DOMAIN)
for defaults in ["domain_defaults", "server_account_defaults", "server_account_prefs"]:
    done("set_" + defaults, {"k": "1"})
    done("update_" + defaults, {"l": ["1", "2"]})
    check({"k": "1", "l": ["1", "2"]}, "get_" + defaults)
    done("set_" + defaults, {})

done("create_account", JOHN, settings={"RealName": "John Doe", "Password": "first secret"})
refused("520", "create_account", JOHN)
check({"RealName": "John Doe", "t": "1"}, "get_account_settings", JOHN)
done("verify_account_password", JOHN, '"first secret"')
done("set_account_password", JOHN, "second1")
done("verify_account_password", JOHN, "second1")
refused("515", "verify_account_password", JOHN, "third1")
refused("501", "set_account_password", JOHN, "short", check=True)
done("update_account_settings", JOHN, {"t": "default", "u": ["1"]})
check({"RealName": "John Doe", "u": ["1"]}, "get_account_settings", JOHN)
done("set_account_settings", JOHN, {"RealName": "Somebody"})
done("set_account_aliases", JOHN, ["johnny"])
check(["johnny"], "get_account_aliases", JOHN)
done("set_account_rights", JOHN, ["Domain", "BasicSettings"])
check(["Domain", "BasicSettings"], "get_account_rights", JOHN)
done("set_account_prefs", JOHN, {"p": "1"})
done("update_account_prefs", JOHN, {"p": "default", "q": "2"})
check({"q": "2"}, "get_account_effective_prefs", JOHN)
done("post_account_alert", JOHN, "beware")
done("rename_account", JOHN, "jon@" + DOMAIN)
check({"jon": "macnt"}, "list_accounts", DOMAIN)
check(["1", {"jon": "macnt", "johnny": ["jon"]}, "1", "0"], "list_domain_objects", DOMAIN, 10)

done("create_group", "team@" + DOMAIN, {"Members": ["jon"]})
check({"Members": ["jon"]}, "get_group", "team@" + DOMAIN)
done("rename_group", "team@" + DOMAIN, "crew@" + DOMAIN)
check(["crew"], "list_groups", DOMAIN)
done("create_forwarder", "f@" + DOMAIN, "x@y.example")
check(["f"], "list_forwarders", DOMAIN)
done("delete_forwarder", "f@" + DOMAIN)

check(["PWD"], "list_modules")
done("update_module", "PWD", {"Listener": {"MaxInputChannels": "500"}, "LogLevel": "4"})
module = body("get_module", "PWD")
if (module["Listener"]["MaxInputChannels"], module["LogLevel"]) != ("500", "4"):
    print("get_module ->", module)
done("set_module", "PWD", {})
refused("501", "get_module", "SMTP")
done("update_log_settings", {"RotateTime": "1d"})
check({"LogLevel": body("get_module", "PWD")["LogLevel"], "RotateTime": "1d"}, "get_log_settings")
done("update_server_settings", {"x": "1"})
check({"DomainName": main_domain, "HideAccountUnknown": "YES", "x": "1"}, "get_server_settings")
done("set_router_table", '"<boss> = jon@%s"' % DOMAIN)
check("<boss> = jon@" + DOMAIN, "get_router_table")
check(["LOCAL", "jon@" + DOMAIN, ""], "route", "boss", type="mail")
done("set_router_settings", {"x": "1"})
check({"x": "1"}, "get_router_settings")
for addresses in ["client", "black_listed", "white_hole", "debug", "denied"]:
    done("set_" + addresses + "_IPs", "192.0.2.1")
    check("192.0.2.1", "get_" + addresses + "_IPs")
check("Denied", "get_IP_state", "192.0.2.1")
done("temp_blacklist_IP", "192.0.2.2", 600)
check("Blacklisted", "get_IP_state", "192.0.2.2", temp=True)
done("temp_blacklist_IP", "192.0.2.2", 0)
done("set_temp_blacklisted_IPs", '"192.0.2.3-*"')
check("192.0.2.3-*", "get_temp_blacklisted_IPs")
check(host, "get_temp_client_IPs")
done("report_failed_login_adress", "192.0.2.4")
check("sessions", "get_next_stat_name", "")
done("set_stat_element", "customVisits", "7")
done("set_log_all", "OFF")
done("write_log", "3", '"a line from a client"')
done("reconnect_cluster_admin")
sessions = body("list_account_sessions", user)
check(sessions[0], "find_account_session", user, ip_address=host)
session = body("get_account_session", sessions[0])
if (session["accountName"], session["protocol"]) != (user if "@" in user else user + "@" + main_domain, "PWD"):
    print("get_account_session ->", session)
refused("501", "kill_account_session", "999999")
done("kill_account_sessions", "jon@" + DOMAIN)

done("delete_account", "jon@" + DOMAIN)
check({"Members": []}, "get_group", "crew@" + DOMAIN)
refused("501", "delete_domain", DOMAIN)
done("rename_domain", DOMAIN, "moved.example")
done("delete_domain", "moved.example", force=True)
refused("512", "get_domain_settings", "moved.example")
refused("501", "list_mailboxes", "*")
done("noop")
server.disconnect()
