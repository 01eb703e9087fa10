// An issuer of tokens on loopback: oidc-provider, with a client for each set of claims.
//
// `node issuer.mjs FILE`; the file is JSON: host, port, audience, keys (private JWKs), and
// clients, each with id, secret and the claims that its access tokens carry. One with
// `redirect_uris` is a page's, has no secret, and signs in whoever comes as `person`.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const told = JSON.parse(readFileSync(process.argv[2]));
const claims = new Map(told.clients.map((client) => [client.id, client.claims]));

const provider = new Provider(`http://${told.host}:${told.port}`, {
  jwks: { keys: told.keys },
  enabledJWA: { idTokenSigningAlgValues: [told.algorithm] },
  clients: told.clients.map(({ id, secret, redirect_uris }) => ({
    client_id: id,
    id_token_signed_response_alg: told.algorithm,
    ...(redirect_uris
      ? {
          redirect_uris,
          grant_types: ['authorization_code'],
          response_types: ['code'],
          token_endpoint_auth_method: 'none',
        }
      : {
          client_secret: secret,
          redirect_uris: [],
          grant_types: ['client_credentials'],
          response_types: [],
          token_endpoint_auth_method: 'client_secret_basic',
        }),
  })),
  clientBasedCORS: () => true,
  findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  async loadExistingGrant({ oidc }) {
    const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope('openid profile');
    grant.addResourceScope(told.audience, '');
    await grant.save();
    return grant;
  },
  interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: '',
        audience: told.audience,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
        jwt: { sign: { alg: told.algorithm } },
      }),
    },
  },
  extraTokenClaims: (_context, token) => claims.get(token.clientId),
});

const answer = provider.callback();

createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return answer(request, response);
  // Whoever comes is let in: it is the page that is tested, not a form.
  return provider.interactionFinished(request, response, { login: { accountId: told.person } });
}).listen(told.port, told.host);
