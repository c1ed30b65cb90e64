import java.io.File;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Prints the lines of programs/python/checks.py. */
class Checks {
  static final String RUN = env("MATRIX_RUN");
  /** Seconds: an original takes its time to start again. */
  static final long LONGEST = 100;

  interface Act {
    void run() throws Exception;
  }

  /** It cannot be done; the text says why. */
  static class Skip extends RuntimeException {
    Skip(String why) {
      super(why);
    }
  }

  private final Map<String, Act> acts = new LinkedHashMap<>();
  private Runnable after = () -> { };

  Checks add(String name, Act act) {
    acts.put(name, act);
    return this;
  }

  /** What is done after all checks, also after those that failed. */
  Checks last(Runnable act) {
    after = act;
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
        long began = System.nanoTime();
        done.get(LONGEST, TimeUnit.SECONDS);
        double seconds = (System.nanoTime() - began) / 1e9;
        System.out.printf(Locale.ROOT, "{\"check\": \"%s\", \"ok\": true, \"seconds\": %.1f}%n",
            one.getKey(), seconds);
      } catch (Exception error) {
        Throwable cause = error.getCause() == null ? error : error.getCause();
        if (System.getenv("MATRIX_TRACE") != null) cause.printStackTrace();
        boolean skipped = cause instanceof Skip;
        String text = skipped ? cause.getMessage() : String.valueOf(cause);
        System.out.printf("{\"check\": \"%s\", \"%s\": \"%s\"}%n",
            one.getKey(), skipped ? "skipped" : "failed", text.replaceAll("[^ -~]|[\"\\\\]", " "));
      }
    }
    System.out.flush();
    after.run();
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
    for (long end = System.nanoTime() + (LONGEST - 5) * 1_000_000_000L; !fact.call(); Thread.sleep(20)) {
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
