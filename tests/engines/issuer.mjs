// An issuer of tokens on loopback: oidc-provider, with a client for each set of claims.
//
// `node issuer.mjs FILE`; the file is JSON: host, port, audience, keys (private JWKs), and
// clients, each with id, secret and the claims that its access tokens carry.

import { readFileSync } from 'node:fs';

import Provider from 'oidc-provider';

const told = JSON.parse(readFileSync(process.argv[2]));
const claims = new Map(told.clients.map((client) => [client.id, client.claims]));

const provider = new Provider(`http://${told.host}:${told.port}`, {
  jwks: { keys: told.keys },
  enabledJWA: { idTokenSigningAlgValues: [told.algorithm] },
  clients: told.clients.map(({ id, secret }) => ({
    client_id: id,
    client_secret: secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: told.algorithm,
    token_endpoint_auth_method: 'client_secret_basic',
  })),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
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

provider.listen(told.port, told.host);
