// What the deployment says to the page: `{oidc, avatars}`.

const said = document.querySelector('meta[name="auditlog-config"]').content;

export const config = { oidc: null, avatars: [], ...JSON.parse(said) };
