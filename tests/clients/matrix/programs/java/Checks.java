import java.io.File;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Prints the lines of programs/python/checks.py. */
class Checks {
  static final String RUN = env("MATRIX_RUN");

  interface Act {
    void run() throws Exception;
  }

  private final Map<String, Act> acts = new LinkedHashMap<>();

  Checks add(String name, Act act) {
    acts.put(name, act);
    return this;
  }

  /** Each check in turn; the version is in the name of the jar that has this class. */
  void main(String client, Class<?> library) throws Exception {
    String path = library.getProtectionDomain().getCodeSource().getLocation().getPath();
    String version = new File(path).getName().replaceAll("^.*?-([0-9][^/]*)\\.jar$", "$1");
    System.out.printf("{\"client\": \"%s\", \"version\": \"%s\"}%n", client, version);
    var pool = Executors.newCachedThreadPool();
    for (var one : acts.entrySet()) {
      Future<?> done = pool.submit((Callable<Void>) () -> { one.getValue().run(); return null; });
      try {
        done.get(60, TimeUnit.SECONDS);
        System.out.printf("{\"check\": \"%s\", \"ok\": true}%n", one.getKey());
      } catch (Exception error) {
        Throwable cause = error.getCause() == null ? error : error.getCause();
        if (System.getenv("MATRIX_TRACE") != null) cause.printStackTrace();
        String text = String.valueOf(cause).replaceAll("[^ -~]|[\"\\\\]", " ");
        System.out.printf("{\"check\": \"%s\", \"failed\": \"%s\"}%n", one.getKey(), text);
      }
    }
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  static String env(String name) {
    return System.getenv(name);
  }

  /** Let all connections be cut (kill), or the broker go and come back (restart). */
  static void happen(String what) throws Exception {
    var uri = URI.create(env("MATRIX_CONTROL") + "/" + env("MATRIX_PROTOCOL") + "/" + what);
    var answer = HttpClient.newHttpClient()
        .send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
    equal(answer.statusCode(), 200);
  }

  static void equal(Object got, Object wanted) {
    if (!Objects.equals(got, wanted)) throw new AssertionError(got + ", not " + wanted);
  }

  static void refused(Act act) {
    try {
      act.run();
    } catch (Exception wanted) {
      return;
    }
    throw new AssertionError("it was not refused");
  }

  static void until(String what, Callable<Boolean> fact) throws Exception {
    for (long end = System.nanoTime() + 30_000_000_000L; !fact.call(); Thread.sleep(20)) {
      if (System.nanoTime() > end) throw new AssertionError("not in time: " + what);
    }
  }

  /** A context that trusts the CA. */
  static javax.net.ssl.SSLContext tls() throws Exception {
    var store = java.security.KeyStore.getInstance("PKCS12");
    store.load(null, null);
    try (var in = new java.io.FileInputStream(env("MOCKFORGE_TLS_CA"))) {
      var certificates = java.security.cert.CertificateFactory.getInstance("X.509");
      store.setCertificateEntry("ca", certificates.generateCertificate(in));
    }
    var trust = javax.net.ssl.TrustManagerFactory.getInstance("PKIX");
    trust.init(store);
    var context = javax.net.ssl.SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }
}
