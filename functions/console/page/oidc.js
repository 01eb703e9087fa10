// Signing in with the deployment's issuer: OpenID Connect, authorization code with PKCE
// (RFC 7636), as a public client. The token stays in memory.

import { address, Problem } from "./api.js";
import { config } from "./config.js";
import { texts } from "./texts.js";

const KEPT = "auditlog-oidc";

/** Goes to the issuer; it sends the browser back here with a code. */
export async function begin() {
  const { authorization_endpoint: endpoint } = await endpoints();
  const kept = { state: random(), verifier: random(), search: location.search };
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
  const url = new URL(endpoint);
  const asked = {
    ...config.oidc.parameters,
    response_type: "code",
    client_id: config.oidc.client_id,
    redirect_uri: address("console").href,
    scope: config.oidc.scope,
    state: kept.state,
    code_challenge: await challenge(kept.verifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  location.assign(url);
}

/** Whether the address is the issuer's answer. */
export function isAnswer(search = location.search) {
  const given = new URLSearchParams(search);
  return config.oidc !== null && given.has("state") && (given.has("code") || given.has("error"));
}

/** The access token that the issuer's answer stands for, and the address that was asked for
 * before. Raises a `Problem`. */
export async function finish() {
  const given = new URLSearchParams(location.search);
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  sessionStorage.removeItem(KEPT);
  history.replaceState(null, "", kept?.search || location.pathname);
  if (kept === null || kept.state !== given.get("state")) throw new Problem(0, texts.entry.oidcState);
  if (given.has("error")) {
    throw new Problem(0, given.get("error_description") ?? given.get("error"));
  }
  const { token_endpoint: endpoint } = await endpoints();
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: config.oidc.client_id,
    code: given.get("code"),
    redirect_uri: address("console").href,
    code_verifier: kept.verifier,
  });
  const told = await ask(endpoint, { method: "POST", body });
  if (typeof told.access_token !== "string") throw new Problem(0, texts.entry.oidcFailed);
  return told.access_token;
}

async function endpoints() {
  const { issuer, authorization_endpoint, token_endpoint } = config.oidc;
  if (authorization_endpoint && token_endpoint) return { authorization_endpoint, token_endpoint };
  const told = await ask(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  return {
    authorization_endpoint: authorization_endpoint ?? told.authorization_endpoint,
    token_endpoint: token_endpoint ?? told.token_endpoint,
  };
}

async function ask(url, options = {}) {
  let told;
  try {
    const response = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer", ...options });
    told = await response.json();
    if (response.ok) return told;
  } catch {
    throw new Problem(0, texts.problems.unreachable);
  }
  throw new Problem(0, told.error_description ?? told.error ?? texts.entry.oidcFailed);
}

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

const challenge = async (verifier) =>
  base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
