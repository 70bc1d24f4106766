"""Administers a server with CGPCLI, as it comes from PyPI; prints what is not as expected.

    python3 cgpcli.py FOLDER HOST PORT MAIN_DOMAIN USER PASSWORD COMMANDS

FOLDER holds the unpacked package. COMMANDS are the names of the commands that the server offers,
with commas between them: every method of the package that sends one of them must be called here.
"""

import inspect
import re
import sys

folder, host, port, main_domain, user, password, commands = sys.argv[1:]
sys.path.insert(0, folder)

from CGPCLI.Commands import Server  # noqa: E402
from CGPCLI.Errors import CommandFailedError, FailedLogin  # noqa: E402

DOMAIN = "live.example"
JOHN = "john@" + DOMAIN
called = set()


def connect():
    server = Server(host, int(port))
    server.connect()
    return server


def body(method, *args, **kwargs):
    called.add(method)
    try:
        return getattr(server, method)(*args, **kwargs)["body"]
    except CommandFailedError as error:
        return "refused: " + str(error)


def check(expected, method, *args, **kwargs):
    """Expects this object."""
    got = body(method, *args, **kwargs)
    if got != expected:
        print(method, args, kwargs, "->", repr(got), "and not", repr(expected))


def shows(kind, method, *args, **kwargs):
    """Expects an object of that type, and returns it."""
    got = body(method, *args, **kwargs)
    if not isinstance(got, kind) or isinstance(got, str) and got.startswith("refused: "):
        print(method, args, kwargs, "->", repr(got), "and no", kind.__name__)
    return got


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

# The server itself.
done("noop")
check({"a": ["b", "c"]}, "echo", {"a": ["b", "c"]})
check(main_domain, "main_domain_name")
check(main_domain, "get_system_info", "mainDomainName")
shows(str, "get_version")
shows(object, "get_current_time", "now")
if not set(commands.split(",")) <= set(shows(list, "list_CLI_commands")):
    print("list_CLI_commands leaves out what is offered")

# Domains.
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
done("set_account_defaults", {}, domain_name=DOMAIN)
done("set_account_template", {"t": "1"}, domain_name=DOMAIN)
check({"t": "1"}, "get_account_template", DOMAIN)
done("set_account_default_prefs", {"k": "1"}, domain_name=DOMAIN)
done("update_account_default_prefs", {"l": "2"}, domain_name=DOMAIN)
# It sends another command than its name says.
done("update_account_template", {"m": "3"}, domain_name=DOMAIN)
check({"k": "1", "l": "2", "m": "3"}, "get_account_default_prefs", DOMAIN)
done("set_account_default_prefs", {}, domain_name=DOMAIN)
done("suspend_domain", DOMAIN)
done("resume_domain", DOMAIN)
check([], "list_admin_domains", DOMAIN)
check("Domains/" + DOMAIN, "get_domain_location", DOMAIN)
for defaults in [
    "domain_defaults",
    "server_account_defaults",
    "server_account_prefs",
    "cluster_domain_defaults",
    "cluster_account_defaults",
    "cluster_account_prefs",
]:
    done("set_" + defaults, {"k": "1"})
    done("update_" + defaults, {"l": ["1", "2"]})
    check({"k": "1", "l": ["1", "2"]}, "get_" + defaults)
    done("set_" + defaults, {})
for certificates in ["server_trusted_certs", "cluster_trusted_certs"]:
    done("set_" + certificates, ["one", "two"])
    check(["one", "two"], "get_" + certificates)
    done("set_" + certificates, [])

# Accounts.
done("create_account", JOHN, settings={"RealName": "John Doe", "Password": "first secret"})
refused("520", "create_account", JOHN)
check({"RealName": "John Doe", "t": "1"}, "get_account_settings", JOHN)
check("John Doe", "get_account_setting", JOHN, "RealName")
if shows(dict, "get_account_effective_settings", JOHN).get("PWDAllowed") != "YES":
    print("get_account_effective_settings leaves out what is inherited")
done("verify_account_password", JOHN, '"first secret"')
done("set_account_password", JOHN, "second1")
done("verify_account_password", JOHN, "second1")
refused("515", "verify_account_password", JOHN, "third1")
refused("501", "set_account_password", JOHN, "short", check=True)
# It leaves out the word before a tag.
done("set_account_password", JOHN, "forphone1", tag="phone")
done("verify_account_password", JOHN, "forphone1")
done("verify_account_identity", JOHN, JOHN)
refused("501", "verify_account_identity", JOHN, "postmaster@" + main_domain)
done("update_account_settings", JOHN, {"t": "default", "u": ["1"]})
check({"RealName": "John Doe", "u": ["1"]}, "get_account_settings", JOHN)
done("set_account_settings", JOHN, {"RealName": "Somebody"})
done("set_account_aliases", JOHN, ["johnny"])
check(["johnny"], "get_account_aliases", JOHN)
done("set_account_rights", JOHN, ["Domain", "BasicSettings"])
check(["Domain", "BasicSettings"], "get_account_rights", JOHN)
done("set_account_type", JOHN, "BGrade")
check("BGrade", "get_account_info", JOHN, key_name="AccountType")
check({"AccountType": "BGrade"}, "get_account_info", JOHN, key_list=["AccountType"])
check("john.macnt", "get_account_location", JOHN)
done("set_account_prefs", JOHN, {"p": "1"})
done("update_account_prefs", JOHN, {"p": "default", "q": "2"})
check({"q": "2"}, "get_account_prefs", JOHN)
check({"q": "2"}, "get_account_effective_prefs", JOHN)
done("set_account_ACL", JOHN, {"anyone": "lr"})
check({"anyone": "lr"}, "get_account_ACL", JOHN)
check("lr", "account_ACL_rights", JOHN, "postmaster@" + main_domain)
check(1, "get_account_stat", JOHN, key_name="PasswordChanges")
done("reset_account_stat", JOHN, key_name="PasswordChanges")
check("1", "get_domain_stat", DOMAIN, key_name="Accounts")
done("reset_domain_stat", DOMAIN)

# Alerts.
MOMENT = "#T24-11-2026_10:00:00"
for alerts, arguments in [("domain_alerts", [DOMAIN]), ("server_alerts", [])]:
    done("set_" + alerts, {MOMENT: "one"}, *arguments)
    check({MOMENT: "one"}, "get_" + alerts, *arguments)
done("remove_domain_alert", DOMAIN, MOMENT)
done("post_domain_alert", DOMAIN, "beware")
done("remove_server_alert", MOMENT)
done("post_server_alert", "beware")
done("set_account_alerts", JOHN, '{"' + MOMENT + '"=one;}')
check({MOMENT: "one"}, "get_account_alerts", JOHN)
done("remove_account_alert", JOHN, MOMENT)
done("post_account_alert", JOHN, "beware")
# It names an account to the commands about the cluster's alerts, which take none.
refused("500", "get_cluster_alerts", JOHN)
refused("500", "set_cluster_alerts", JOHN, "{}")
refused("500", "post_cluster_alert", JOHN, "beware")
refused("500", "remove_cluster_alert", JOHN, MOMENT)

# Sessions.
other = connect()
other.login(JOHN, "second1")
sessions = shows(list, "list_account_sessions", JOHN)
check(sessions[0] if sessions else "one", "find_account_session", JOHN)
shows(dict, "get_account_session", sessions[0])
done("kill_account_session", sessions[0])
refused("501", "bless_account_session", sessions[0])
done("kill_account_sessions", JOHN)

# Names.
done("rename_account", JOHN, "jon@" + DOMAIN)
check({"jon": "macnt"}, "list_accounts", DOMAIN)
check(["1", {"jon": "macnt", "johnny": ["jon"]}, "1", "0"], "list_domain_objects", DOMAIN, 10)
done("create_group", "team@" + DOMAIN, {"Members": ["jon"]})
check({"Members": ["jon"]}, "get_group", "team@" + DOMAIN)
done("set_group", "team@" + DOMAIN, {"Members": ["jon"]})
done("rename_group", "team@" + DOMAIN, "crew@" + DOMAIN)
check(["crew"], "list_groups", DOMAIN)
done("create_forwarder", "f@" + DOMAIN, "x@y.example")
done("rename_forwarder", "f@" + DOMAIN, "g@" + DOMAIN)
check(["g"], "list_forwarders", DOMAIN)
# It leaves out the blank behind the name of these commands.
refused("500", "get_forwarder", "g@" + DOMAIN)
refused("500", "find_forwarders", DOMAIN, "x@y.example")
done("delete_forwarder", "g@" + DOMAIN)
check(["LOCAL", "jon@" + DOMAIN, ""], "route", "johnny@" + DOMAIN, type="access")

# The server's settings.
if "PWD" not in shows(list, "list_modules"):
    print("list_modules leaves out PWD")
done("update_module", "PWD", {"LogLevel": "3"})
settings = shows(dict, "get_module", "PWD")
done("set_module", "PWD", {"LogLevel": settings["LogLevel"]})
for settings in [
    "session_settings",
    "cluster_settings",
    "network",
    "DNR_settings",
    "cluster_network",
    "router_settings",
    "cluster_router_settings",
]:
    done("set_" + settings, {"k": "1"})
    check({"k": "1"}, "get_" + settings)
    done("set_" + settings, {})
shows(dict, "get_log_settings")
done("update_log_settings", {})
shows(dict, "get_server_settings")
done("update_server_settings", {})
done("refresh_OS_data")
for where in ["", "cluster_"]:
    done("set_" + where + "router_table", '"<help> = postmaster"')
    check("<help> = postmaster", "get_" + where + "router_table")
    done("set_" + where + "router_table", '""')
    for addresses in ["LAN", "client", "black_listed", "white_hole", "NATed", "NAT_site", "debug", "denied"]:
        done("set_" + where + addresses + "_IPs", "192.0.2.0/24")
        check("192.0.2.0/24", "get_" + where + addresses + "_IPs")
        done("set_" + where + addresses + "_IPs", "")

# Operation.
check("", "get_IP_state", "192.0.2.1")
done("report_failed_login_adress", "192.0.2.1")
done("temp_blacklist_IP", "192.0.2.2", 60)
done("set_temp_blacklisted_IPs", "192.0.2.3-60")
if "192.0.2.2" not in shows(str, "get_temp_blacklisted_IPs"):
    print("get_temp_blacklisted_IPs leaves out what was just blocked")
done("temp_blacklist_IP", "192.0.2.2", 0)
shows(str, "get_temp_client_IPs")
first = shows(str, "get_next_stat_name", '""')
shows(object, "get_stat_element", first)
done("set_stat_element", "Custom", "1")
done("set_log_all", "OFF")
done("set_trace", "FileIO", "OFF")
done("write_log", "1", "hello")
# It leaves out the blank behind the name.
refused("500", "test_loop", 1)
shows(str, "get_current_controller")
done("reconnect_cluster_admin")

# The end.
done("delete_account", "jon@" + DOMAIN)
check({"Members": []}, "get_group", "crew@" + DOMAIN)
done("delete_group", "crew@" + DOMAIN)
done("create_account", JOHN)
refused("501", "delete_domain", DOMAIN)
done("rename_domain", DOMAIN, "moved.example")
done("delete_domain", "moved.example", force=True)
refused("512", "get_domain_settings", "moved.example")
refused("501", "list_mailboxes", "*")
done("noop")
done("shutdown")

for name, method in inspect.getmembers(Server, inspect.isfunction):
    sent = re.search(r"_operate\(f?'([A-Z]+)", inspect.getsource(method))
    if sent and sent[1] in commands.split(",") and name not in called:
        print(name, "is not called")
