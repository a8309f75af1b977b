"""The people and groups of the test domain, as LDIF. `add`: what is added; `modify`: what only a local program may set."""
import base64
import sys

BASE = "DC=corp,DC=test"
PASSWORD = "S3cret-pass!"
out = sys.stdout.buffer


def entry(dn, changetype=None, **attributes):
    lines = [line("dn", dn)]
    if changetype:
        lines.append(b"changetype: " + changetype.encode())
    for name, values in attributes.items():
        for value in values if isinstance(values, list) else [values]:
            lines.append(line(name, value))
    out.write(b"\n".join(lines) + b"\n\n")


def line(name, value):
    raw = value if isinstance(value, bytes) else value.encode()
    plain = raw.isascii() and not raw.startswith((b" ", b":", b"<")) and not raw.endswith(b" ") and b"\n" not in raw
    return name.encode() + (b": " + raw if plain and isinstance(value, str) else b":: " + base64.b64encode(raw))


def rdn(value):
    return "".join("\\" + c if c in ',+"\\<>;=' else c for c in value)


def person(account, cn=None, uac="512", password=PASSWORD, **more):
    cn = cn or account
    dn = f"CN={rdn(cn)},OU=People,{BASE}"
    more.setdefault("userPrincipalName", f"{account}@corp.test")
    if password:
        more["unicodePwd"] = f'"{password}"'.encode("utf-16-le")
    entry(dn, objectClass="user", sAMAccountName=account, userAccountControl=uac, **more)
    return dn


def group(name, members, kind="-2147483646", **more):
    dn = f"CN={rdn(name)},OU=Groups,{BASE}"
    if members:
        more["member"] = members
    entry(dn, objectClass="group", sAMAccountName=more.pop("account", name), groupType=kind, **more)
    return dn


def add():
    for ou in ("People", "Groups", "Elsewhere"):
        entry(f"OU={ou},{BASE}", objectClass="organizationalUnit")
    alice = person("alice", "Alice Example", mail="alice@corp.test", displayName="Alice Example")
    person("svc-ldap")
    person("bob", "Bob (Ops) , Jr*", mail="bob@corp.test", displayName="Bob (Ops) , Jr*")
    person("back", "Back\\Slash")
    person("zoe", "Zoë Ångström 山田太郎", password="Pässwörd-山1!", userPrincipalName="zoë@corp.test", displayName="Zoë Ångström")
    person("alt", userPrincipalName="alt.suffix@partner.example")
    person("disabled1", uac="514")
    person("expired1", accountExpires="128271456000000000")
    person("mustchange", pwdLastSet="0")
    person("locked1")
    person("pwdold1")
    person("hours1", logonHours=bytes(21))
    person("wks1", userWorkstations="NOTHERE")
    person("mover", displayName="Mover", mail="mover@corp.test")
    person("leaver", displayName="Leaver")
    crowd = [person(f"b{i:05}", uac="544", password=None) for i in range(3200)]
    universal, local, distribution = "-2147483640", "-2147483644", "2"
    below = group("lvl1", [alice])
    for name, kind in (("lvl2", "-2147483646"), ("lvl3", universal), ("lvl4", universal), ("lvl5", local)):
        below = group(name, [below], kind)
    group("letters", [alice], distribution)
    group("a,b (c) \\ d* ü", [alice], account="odd")
    group("empty", [])
    group("big", crowd)


def modify():
    entry(BASE, "modify", replace="lockoutThreshold", lockoutThreshold="5")
    entry(f"CN=pwdold1,OU=People,{BASE}", "modify", replace="pwdLastSet", pwdLastSet="132000000000000000")


{"add": add, "modify": modify}[sys.argv[1]]()
