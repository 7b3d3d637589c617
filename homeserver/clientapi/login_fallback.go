package clientapi

import (
	"net/http"

	"hearth/matrix/wire"
)

func (a *API) loginFallbackRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/static/client/login/", getLoginPage)
}

// The page logs in for a client that does not know how, and hands it the answer. Of what its URL says only what is no
// credential is passed on.
const (
	loginForm = `<form method="post"><p id="note"></p>
<p><label>User name <input name="user" autocomplete="username" required></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<button>Log in</button></form>`
	loginScript = `const form = document.forms[0], note = document.getElementById("note");
form.onsubmit = async (event) => {
    event.preventDefault();
    const login = {
        type: "m.login.password",
        identifier: {type: "m.id.user", user: form.elements.user.value},
        password: form.elements.password.value,
    };
    for (const [name, value] of new URLSearchParams(location.search)) {
        if (name === "device_id" || name === "initial_device_display_name") login[name] = value;
        if (name === "refresh_token") login[name] = value === "true";
    }
    try {
        const answer = await fetch("/_matrix/client/v3/login", {
            method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(login),
        });
        const body = await answer.json();
        note.textContent = answer.ok ? "You are logged in." : body.error;
        if (answer.ok && window.matrixLogin && window.matrixLogin.onLogin) window.matrixLogin.onLogin(body);
    } catch (error) {
        note.textContent = "The server cannot be reached.";
    }
};`
)

// spec: client-server-api#login-fallback
func getLoginPage(w http.ResponseWriter, _ *http.Request) error {
	return page(w, http.StatusOK, loginScript, loginForm+"<script>"+loginScript+"</script>")
}
