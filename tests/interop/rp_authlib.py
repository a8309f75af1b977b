"""Authlib against ODCM, through its real pages: rp_authlib.py ISSUER REDIRECT CLIENT SECRET USER PASSWORD"""
import os
import secrets
import sys

import requests
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwk, jwt
from webflow import Flow

issuer, redirect, client, secret, user, password = sys.argv[1:7]
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"


def browser(url):
    response, final = Flow(user=user, password=password, stop=redirect).run(url)
    assert response is None, (response.status_code, final)
    return final


def code_flow():
    meta = requests.get(issuer + "/.well-known/openid-configuration", timeout=10).json()
    assert meta["issuer"] == issuer
    session = OAuth2Session(
        client, secret, scope="openid profile email offline_access", redirect_uri=redirect,
        code_challenge_method="S256", token_endpoint_auth_method="client_secret_basic")
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    url, state = session.create_authorization_url(
        meta["authorization_endpoint"], code_verifier=verifier, nonce=nonce, prompt="consent")
    token = session.fetch_token(
        meta["token_endpoint"], authorization_response=browser(url), state=state, code_verifier=verifier)
    keys = jwk.KeySet.import_key_set(requests.get(meta["jwks_uri"], timeout=10).json())
    claims = jwt.decode(token["id_token"], keys, algorithms=meta["id_token_signing_alg_values_supported"]).claims
    audience = claims["aud"]
    assert (claims["iss"], claims["nonce"]) == (issuer, nonce)
    assert client in ([audience] if isinstance(audience, str) else audience)
    info = session.get(meta["userinfo_endpoint"]).json()
    assert info["sub"] == claims["sub"], info
    fresh = session.refresh_token(meta["token_endpoint"])
    assert fresh["access_token"] != token["access_token"]


def oauth_metadata():
    meta = requests.get(issuer + "/.well-known/oauth-authorization-server", timeout=10).json()
    assert meta["issuer"] == issuer and "S256" in meta["code_challenge_methods_supported"]


passed = failed = 0
for check in (code_flow, oauth_metadata):
    try:
        check()
        passed += 1
        print("ok   authlib", check.__name__)
    except Exception as error:  # noqa: BLE001 (each check is reported)
        failed += 1
        print("FAIL authlib", check.__name__, repr(error)[:300])
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
