// Sends the answer of a sign-in to the application (OAuth 2.0 Form Post Response Mode); without scripts a button does.
document.getElementById("answer").submit();
