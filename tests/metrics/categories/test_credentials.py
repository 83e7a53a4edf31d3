"""Credentials: known formats, assignments, connection strings; hashes and placeholders are none. All are invented."""

from __future__ import annotations

import pytest

from metrics.categories.credentials import entropy, find_credentials


def types(text: str) -> list[str]:
    return [span.type for span in find_credentials(text)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE", "PRIVATE_KEY"),
        ("-----BEGIN PRIVATE KEY-----\n", "PRIVATE_KEY"),
        ("RIVATE KEY-----\nMIIEowIBAAKCAQEAv1Qk8JdGx2Tq5bYwZr0Lq\n", "PRIVATE_KEY"),
        ("id AKIA" + "Q3EGRI7UZ5PLX2WD", "AWS_ACCESS_KEY"),
        ("use ghp_" + "k3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4", "GITHUB_TOKEN"),
        ("use glpat-" + "k3JfQ9sLx02MvTzR8yWb", "GITLAB_TOKEN"),
        ("use xoxb-" + "2384720394-k3JfQ9sLx02MvTzR", "SLACK_TOKEN"),
        ("use sk_live_" + "k3JfQ9sLx02MvTzR8yWbNc7E", "STRIPE_KEY"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI4MTcyIn0.k3JfQ9sLx02MvTzR8yWb", "JSON_WEB_TOKEN"),
        ("DB_PASSWORD=tr4cKt0r!99\n", "PASSWORD"),
        ("password: 'Vi0let*Harbour'", "PASSWORD"),
        ('"api_key": "8f3a91c04be7d25a8f3a91c04be7d25b",', "PASSWORD"),
        ("aws_secret_access_key = k3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4zzzz", "PASSWORD"),
        ("machine ftp login tamsin password tr4cKt0r", "PASSWORD"),
        ("postgres://svc:tr4cKt0rz@db1.internal:5432/app", "CONNECTION_STRING"),
        ("redis://:p0ntoon@cache.lan:6379/0", "CONNECTION_STRING"),
        ("Authorization: Basic dGFtc2luOnRyNGNLdDByOTk=", "AUTHORIZATION"),
        ("-----BEGIN OpenVPN Static key V1-----\n6acbef03d62775b4b1bbd03e53b18772\n", "PRIVATE_KEY"),
        ("Private-Lines: 4\nAAAAgQCkJfQ9sLx02MvTzR8yWbNc7Ea5\n", "PRIVATE_KEY"),
        ("zR8yWbNc7Ea5HdUg1PqXo4k3JfQ9sLx02Mv\n-----END RSA PRIVATE KEY-----\n", "PRIVATE_KEY"),
        ("EY-----\nMIIEowIBAAKCAQEAv1Qk8JdGx2Tq5bYwZr0LqQk8JdGx2Tq5bYwZr0Lq7Kd9PzUx\nb3Blbn", "PRIVATE_KEY"),
        ('"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQ\\n', "PRIVATE_KEY"),
        ("psk='Vi0let*Harbour'", "PASSWORD"),
        ("CREATE USER svc IDENTIFIED BY 'tr4cKt0r!99'", "PASSWORD"),
        ("curl -s -u svc:tr4cKt0r!99 https://mill.lan", "PASSWORD"),
        ("<password>tr4cKt0r!99</password>", "PASSWORD"),
        ("bot 7239481022:AAk3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1Pq", "TELEGRAM_TOKEN"),
    ],
)
def test_found(text: str, kind: str) -> None:
    assert kind in types(text)


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
        "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkq",
        "AKIAIOSFODNN7EXAMPLE",
        '"integrity": "sha512-k3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4k3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4=="',
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "checksum = 9f86d081884c7d659a2feaa0c55ad015",
        "password = getpass.getpass()",
        "password=None, token=None, secret: str",
        "password: <your password>",
        'PASSWORD = "changeme"',
        "password=${DB_PASSWORD}",
        "token = tokens[position]",
        "self.token = token_stream.next_token",
        "postgres://user:password@localhost/db",
        "http://example.org:8080/path@home",
        "The secret is: patience and a sharp knife.",
        "primary_key=customer_id1",
        "Please enter your password. The password is case sensitive.",
        "key = 'keyboard'",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQCk3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4 svc@mill",
        "MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkq\n-----END CERTIFICATE-----\n",
        "id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "github.com/mill/wheel v1.0.1 h1:k3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4k3JfQ9s=",
        "<password>changeme</password>",
        "identified by 'password'",
    ],
)
def test_none(text: str) -> None:
    assert types(text) == []


UUID, COMMIT = "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
SHA256 = COMMIT + "2b0b822cd15d6c15b0f00a08"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
OPENING = "-----BEGIN RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        # Names in a program, with digits in them.
        "token = TOKEN_TYPE_2D",
        "token = lexer.peek2",
        "token = parser->utf8Token",
        "secret_key = settings.MILL2_KEY",
        "api_key: config.apiKeyV2,",
        "check(token=NEXT_TOKEN_3, depth=4)",
        "access_token = readStream2Utf8",
        "password = args.password2",
        'API_KEY = "MILL_API_KEY_V2"',
        "password = old_password1",
        'token == "#bygroup"',
        "Token.Keyword: '#1e90ff'",
        # What a thing is called or hashes to.
        f"token: {SHA256}",
        f'token = "{COMMIT}"',
        f"token: {UUID}",
        f"next_page_token={COMMIT}",
        f"__RequestVerificationToken={COMMIT}xY",
        # Numbers in a column, counts, runs of digits.
        "password: 839201475512",
        "pass = 153240",
        "password = 123456789012",
        # Words that are said of a password.
        'password: "required"',
        "'password' => 'Kennwort',",
        'password: "kennwort"',
        'password = "mill-hidden-text-field"',
        'password = "MILL_WHEEL_2D"',
        'password = "changeme"',
        'password = "your_password"',
        'password = "********"',
        'password = "<password>"',
        'password = "${DB_PASS}"',
        'password = os.environ["DB_PASS2"]',
        'password = ""',
        '"password": "Forgot?"',
        'if password == "sunflower":',
        'secret = "sunflower"',
        'password: "sunflower seeds are sold here"',
        "define('ENTRY_PASSWORD', 'Password:');",
        "define('AUTH_KEY', 'put your unique phrase here');",
        "define('WAKE_KEY', 'press F1 and F2 at the mill');",
        # Programs and manuals that name the opening line.
        f"The file begins with {OPENING} and holds the key.",
        f"The file begins with {OPENING}",
        f'if text.startswith("{OPENING}"):\n    return load(text)\n',
        f"grep -rl -- '{OPENING}' /srv/Mill/keys/Saw",
        f'marks = ["{OPENING}", "-----BEGIN CERTIFICATE-----"]',
        f"{OPENING}\n...\n-----END RSA PRIVATE KEY-----\n",
        'if line == "OpenVPN Static key V1":',
        # Authorization.
        "Basic Instinct1992",
        "Basic authentication2023",
        "Basic c2F3OgECA3doZWVs",  # `saw:` and signs that nobody types
        "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Authorization: Basic dXNlcjpwYXNzd29yZA==",
        "Bearer SharesReport2019",
        # URLs.
        "http://mill.lan:8080@quell",
        "redis://:6379@localhost",
        "ftp://anonymous:guest@ftp.mill.org/pub",
        "ftp://anonymous:quell7@ftp.mill.org/pub",
        "postgres://postgres:postgres@db/mill",
        "https://svc:tr4cKt0rz@example.com/wheel",
        "smb://myuser:mypassword@mill.lan/",
        # Commands.
        "mysql -u root -p",
        "mysql -u root -p mill2wheel4",
        "mysql -u root -p$PASS2",
        "mysqldump -p3306 wheels",
        "sshpass -p $MILL_PASS2 ssh svc@mill",
        "curl -u $USER:$TOKEN2 https://mill.lan",
        "curl -u username:password https://mill.lan",
        "mill --password <password>",
        "xhooks.slack.com/services/T02MvTzR8/B8yWbNc7E/k3JfQ9sLx02MvTzR8yWb",
    ],
)
def test_a_careful_person_sees_none(text: str) -> None:
    assert find_credentials(text) == []


SALT = "w}8#k Q9|x;L0 2^v~T z&R8 y%W b(N c7 E@a 5H d+U g1 P q!X o4 Z"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("token = k3JfQ9sLx02MvTzR8yWb", "k3JfQ9sLx02MvTzR8yWb"),
        ("slack_token: tz8k3jfq9slx02mv", "tz8k3jfq9slx02mv"),
        (f"access_token: {COMMIT}", COMMIT),
        (f'api_key = "{UUID}"', UUID),
        ("token: 0hT5zQ9wLx02-MvTzR8yWb", "0hT5zQ9wLx02-MvTzR8yWb"),
        ("PASSWORD=tr4cK_t0r99", "tr4cK_t0r99"),
        ("dbPassword: tr4cKt0r", "tr4cKt0r"),
        ("PGPASSWORD=tr4cKt0r psql", "tr4cKt0r"),
        ("smtpPwd = 'tr4cKt0r'", "tr4cKt0r"),
        ("password = 839201475512", "839201475512"),
        ('"password": "83920147"', "83920147"),
        ("Passcode: 839201", "839201"),
        ('password = "sunflowerandtractor"', "sunflowerandtractor"),
        ('"password": "sunflower"', "sunflower"),
        ("password = 'tractor-violet-harbour-saw'", "tractor-violet-harbour-saw"),
        ('define("DB_PASSWORD", "tr4cKt0r!99");', "tr4cKt0r!99"),
        ("define( 'DB_PASSWORD', 'sunflower' );", "sunflower"),
        (f"define('AUTH_KEY',         '{SALT}');", SALT),
        (f"define('NONCE_SALT', '{SALT}');", SALT),
        ('#define WIFI_PASSWORD  "tr4cKt0r99"', "tr4cKt0r99"),
        ('os.environ.setdefault("MILL_SECRET", "tr4cKt0r99")', "tr4cKt0r99"),
        ("mysql -u root -pTr4cKt0r wheels", "Tr4cKt0r"),
        ("mysqldump --single-transaction -psunflower wheels", "sunflower"),
        ("sshpass -p tr4cKt0r ssh svc@mill", "tr4cKt0r"),
        ("sshpass -p'Vi0let*Harbour' scp a svc@mill:", "Vi0let*Harbour"),
        ("curl -u svc:Tr4cKt0r https://mill.lan", "Tr4cKt0r"),
        ("curl -X POST --user 'svc:sunflower' https://mill.lan", "sunflower"),
        ("mill --password tr4cKt0r!99 --port 80", "tr4cKt0r!99"),
        ("Authorization: Bearer k3JfQ9sLx02MvTzR8yWb", "k3JfQ9sLx02MvTzR8yWb"),
        ("Authorization: Basic dGFtc2luOnRyNGNLdDByOTk", "dGFtc2luOnRyNGNLdDByOTk"),
        ("ftp://tamsin:guest77@ftp.mill.org/pub", "guest77"),
        ("redis://:839201@cache.lan:6379", "839201"),
        ("hooks.slack.com/services/T02MvTzR8/B8yWbNc7E/k3JfQ9sLx02MvTzR8yWb", None),
    ],
)
def test_the_true_neighbours_are_found(text: str, secret: str | None) -> None:
    (span,) = find_credentials(text)
    assert text[span.start : span.end] == (secret or text)


@pytest.mark.parametrize(
    "text",
    [
        f"{OPENING}\n{BODY}\n",
        f"{OPENING}\n{BODY[:5]}",
        f"a note\n{OPENING}",
        f"{OPENING}\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-128-CBC,9F86D081\r\n\r\n{BODY}",
        f"{OPENING}\nProc-Type: 4,ENCRYPTED\n",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v1\n\n{BODY}",
        f'key = "{OPENING}\\n{BODY}',
        f'{{"private_key": "{OPENING}',
        f'const char key[] = "{OPENING}\\n"\n    "{BODY}\\n"',
        f"# {OPENING}\n# {BODY}\n",
        f"the key is {OPENING} {BODY} so be it",
        f"IVATE KEY-----\n{BODY}\n",
    ],
)
def test_an_opening_line_with_base64_behind_it_or_cut_there(text: str) -> None:
    assert types(text) == ["PRIVATE_KEY"]


HEX = SHA256 + COMMIT


@pytest.mark.parametrize("secret", ["maplecabin42", "Tawny5owl!"])
@pytest.mark.parametrize(
    "form",
    [
        'char pass[] = "{}";',
        'const char password[] = "{}";',
        'char wifi_password[32] = "{}";',
        'const char* password = "{}";',
        '<property name="password" value="{}"/>',
        '<property name="hibernate.connection.password">{}</property>',
        '<add key="SmtpPassword" value="{}"/>',
        '<entry key="db.password">{}</entry>',
        "<key>password</key>\n    <string>{}</string>",
        'val password: String = "{}"',
        'var smtpPassword: String? = "{}"',
        'let password: &\'static str = "{}";',
        'password: Optional[str] = "{}"',
        'password: str = "{}"',
        'var password string = "{}"',
        'PASSWORD = u"{}"',
        "PASSWORD = b'{}'",
        'string password = @"{}";',
        r'"{{\"user\":\"mara\",\"password\":\"{}\",\"port\":22}}"',
        'ds.setPassword("{}");',
        'builder.user("mara").password("{}").build()',
        'params.put("password", "{}");',
        "auth=('mara','{}')",
        "requests.get(url, auth=HTTPBasicAuth('mara', '{}'))",
        "ALTER ROLE mara PASSWORD '{}'",
        "CREATE USER mara WITH ENCRYPTED PASSWORD '{}';",
        "docker login -u mara -p {} harbour.mill.lan",
        "requirepass {}",
        '<add value="{}" name="password"/>',
        "<property value='{}'\n  key='db.password' />",
        'var password = $"{}";',
        'var password = $@"{}";',
        'password = rf"{}"',
        "const password = `{}`;",
        'val password = """{}"""',
        "let password: string = `{}`",
        'let password = r#"{}"#;',
        'contrase\u00f1a = "{}"',
        "Contrasena: {}",
        "usuario: mara, clave: {}",
        "mot de passe : {}",
        "motdepasse={}",
        "utilisateur=mara;mdp={}",
        'db_passwort = "{}"',
        "Kennwort: {}",
        'String senha = "{}";',
        "wachtwoord: {}",
        "has\u0142o: {}",
        "HASLO = '{}'",
        "\u043f\u0430\u0440\u043e\u043b\u044c: {}",
        '\u041f\u0430\u0440\u043e\u043b\u044c = "{}"',
        "WLAN\u5bc6\u7801\uff1a{}\uff0c",
        "\u30d1\u30b9\u30ef\u30fc\u30c9: {}",
        "pw: {}",
        "pw={}",
        'dbPw = "{}"',
        "pwd: {}",
    ],
)
def test_passwords_where_programs_and_their_settings_have_them(form: str, secret: str) -> None:
    text = form.format(secret)
    (span,) = find_credentials(text)
    assert text[span.start : span.end] == secret


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"  secret_key_base: {HEX}\n", HEX),
        (f"config.secret_key_base = '{HEX}'", HEX),
        ("requirepass gr3yWolf_redis", "gr3yWolf_redis"),
        ('client.setApiKey("k3JfQ9sLx02MvTzR8yWb")', "k3JfQ9sLx02MvTzR8yWb"),
        ('<add key="ApiToken" value="k3JfQ9sLx02MvTzR8yWb"/>', "k3JfQ9sLx02MvTzR8yWb"),
        ("token: 0hT5zQ9wLx02-MvTzR8yWb", "0hT5zQ9wLx02-MvTzR8yWb"),
        ("pass: Trainspotter2 (from the mill)", "Trainspotter2"),
    ],
)
def test_keys_in_the_same_places(text: str, secret: str) -> None:
    (span,) = find_credentials(text)
    assert text[span.start : span.end] == secret


@pytest.mark.parametrize(
    "text",
    [
        "private_key: ~/.ssh/id_rsa2",
        "private_key = /etc/mill/keys/wheel2",
        'private_key: "keys/wheel2_rsa.pem"',
        "const TOKEN = 'comma-dangle-2'",
        "mysql -P3306 -pdatabase",
        "pass: Trainspotter2 (1997)",
        f'<input type="hidden" name="token" value="{COMMIT}"/>',
        '<string name="password">Kennwort</string>',
        f'<property name="token" value="{COMMIT}"/>',
        'translate("password", "Kennwort")',
        'getPassword("wheel2mill")',
        'params.put("user", "maplecabin42")',
        f'headers.set("x-csrf-token", "{COMMIT}");',
        "val password: String = readLine2()",
        "docker login -u mara -p $MILL_PASS2",
        "the requirepass directive",
        "user mara forgot the password yesterday2",
    ],
)
def test_none_in_the_same_places(text: str) -> None:
    assert find_credentials(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "DB_PASSWORD=sunflower",
        "export SMTP_PASSWD=sunflower\necho $(date)\n",
        "password = sunflower",
        "[client]\nuser = mara\npassword = sunflower\nport = 3306\n",
        "# the mill\r\ndb.password=sunflower\r\ndb.url=jdbc:mill:wheel\r\n",
        "port 6380\nrequirepass sunflower\n",
        "<password>sunflower</password>",
        '<property name="db.password">sunflower</property>',
        '<add key="SmtpPassword" value="sunflower"/>',
        '<add value="sunflower" key="SmtpPassword"/>',
        "ALTER ROLE mara PASSWORD 'sunflower'",
        "CREATE USER mara WITH ENCRYPTED PASSWORD 'sunflower';",
    ],
)
def test_words_where_nothing_but_a_password_stands(text: str) -> None:
    (span,) = find_credentials(text)
    assert text[span.start : span.end] == "sunflower"


@pytest.mark.parametrize(
    "text",
    [
        # Prose and code.
        "password: please",
        "Password: required",
        "the password = sunflower",
        "password = sunflower + salt",
        "    password = sunflower\n",
        "password = input()",
        "password = getpass",
        "password=password",
        "password = request.password",
        "import mill\npassword = sunflower\n",
        "login(\nuser,\npassword=sunflower\n)",
        "user = mara;\npassword = sunflower\nrun(user, password);",
        # Kinds of value, variables, defaults.
        "password = string",
        "password = none",
        "password = varchar",
        "password = line",
        "password = response",
        "DB_PASSWORD=secret",
        "DB_PASSWORD=changeme",
        "DB_PASSWORD=enabled",
        "DB_USER=tractor\nDB_PASSWORD=tractor\n",
        "<password>string</password>",
        "<password>xs:string</password>",
        "<password>changeit</password>",
        '<string name="password">sunflower</string>',  # a label of Android's
        '<input value="sunflower2" name="password"/>',
        "the user mara password 'expired'",
        "requirepass directive\nis set",
        "requirepass foobared",
        # Strings that are filled in, sums.
        'password = $"{user}{salt2}"',
        'password = f"pre{user}x1"',
        "password = `${user}x1`",
        "pw = x1*dx2",
        # Words of other languages with other meanings, and what stands in forms.
        'clave: "SAT01010101"',
        'mdp = "gridworld4"',
        'passwort: "falsch"',
        'senha: "obrigatoria"',
        'password: "\u5bc6\u7801\u957f\u5ea66\u523016\u4f4d"',
        "Mot de passe : vergessen",
    ],
)
def test_words_that_are_no_passwords(text: str) -> None:
    assert find_credentials(text) == []


def test_digits_and_signs_are_those_of_the_prefilter() -> None:
    """Java looks for ASCII digits: a value with others is no secret here either."""
    assert find_credentials("password = tr\u0967cKtor\u0968") == []
    assert types("password = tr\u0967cKtor2") == ["PASSWORD"]


def test_entropy_by_hand() -> None:
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abab") == 1
    assert entropy("abcdefgh") == 3


def test_the_span_is_the_secret_alone() -> None:
    text = "login at postgres://svc:tr4cKt0rz@db1.internal/app"
    (span,) = find_credentials(text)
    assert text[span.start : span.end] == "tr4cKt0rz"


def test_the_lines_before_the_end_of_a_key_belong_to_it() -> None:
    text = "a note\nzR8yWbNc7Ea5HdUg1PqXo4k3JfQ9sLx0\n2MvTzR8yWbNc7Ea5\n-----END PRIVATE KEY-----\n"
    (span,) = find_credentials(text)
    assert text[span.start : span.end].startswith("zR8y") and text[span.start : span.end].endswith("PRIVATE KEY")


@pytest.mark.parametrize(
    "text",
    [
        "PASS: check_mills2\nPASS: tests/basic2.sh",
        'class="sk-spinner sk-spinner-three-bounce"',
        "sk-learn-contrib-of-mills",
    ],
)
def test_logs_of_tests_and_names_of_styles_are_no_credentials(text: str) -> None:
    assert find_credentials(text) == []


@pytest.mark.parametrize(
    "text",
    [
        'password = "kX9!mm2)"',
        '"db_password": "(9kLmq2!Zx"',
        "<password>7q[Lw(2xZp</password>",
        "IDENTIFIED BY 'r4{Tz%9bQ'",
        "DB_PASSWORD=Yourmom69",
        "Your password is: Blume77x",
        "API key: 9Fk2lQ7mZp4Xw81Rt6Yv3Ub0",
        "Auth Token: 3c1fb6c7a9d2e4f50718",
    ],
)
def test_brackets_in_passwords_and_spaces_in_names(text: str) -> None:
    assert find_credentials(text)


@pytest.mark.parametrize(
    "text",
    [
        'password = "get_token()"',
        'password = "<your 1st password>"',
        'password = "{{ password1 }}"',
        'password = "%(password1)s"',
        'password = "[redacted 1]"',
        'password="$DB_PASSWORD"',
        "password = getpass(user1)",
        "password = row[pass1]",
        "password is: required",
        "api key is: see page 12 of the manual",
    ],
)
def test_filled_in_later_with_and_without_quotes(text: str) -> None:
    assert find_credentials(text) == []
