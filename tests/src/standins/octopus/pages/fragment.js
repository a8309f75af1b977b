// The portal of a real server reads its address after the "#": /app#/users/sign-in?iss=ISSUER
const prefix = "#/users/sign-in?";
if (location.hash.startsWith(prefix)) {
  location.replace("/app/sign-in?" + location.hash.slice(prefix.length));
}
